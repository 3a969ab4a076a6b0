// What this party has allowed in this very window, by its own click: request -> what was signed.
//
// The lock trusts this and nothing that the server says. It is kept in sessionStorage so that a
// reload does not lose the click; the window's end does. The cookie page lists the item. The key
// that signed is not in it: that goes with the page.

/** @import {SignedConsent} from "./types.js" */

export const ITEM = "avsession-allowed";
/** More requests than a session can have. */
const MOST = 20;

/** @extends {Map<string, SignedConsent>} */
export class Allowed extends Map {
  constructor() {
    super(read());
  }

  /**
   * @param {string} request
   * @param {SignedConsent} consent
   */
  set(request, consent) {
    super.set(request, consent);
    this.keep();
    return this;
  }

  /** @param {string} request */
  delete(request) {
    const known = super.delete(request);
    this.keep();
    return known;
  }

  clear() {
    super.clear();
    this.keep();
  }

  /**
   * Forget all but these: the others are over.
   * @param {readonly (string | null | undefined)[]} requests
   */
  only(requests) {
    for (const request of [...this.keys()]) if (!requests.includes(request)) this.delete(request);
  }

  keep() {
    // A window that may store nothing loses the click at a reload, and asks for another.
    try {
      if (this.size === 0) sessionStorage.removeItem(ITEM);
      else sessionStorage.setItem(ITEM, JSON.stringify([...this].slice(-MOST)));
    } catch {
      return;
    }
  }
}

/** @returns {[string, SignedConsent][]} */
function read() {
  try {
    const found = JSON.parse(sessionStorage.getItem(ITEM) ?? "[]");
    if (!Array.isArray(found)) return [];
    return found.filter(
      (one) => Array.isArray(one) && typeof one[0] === "string" && Array.isArray(one[1]?.purposes),
    );
  } catch {
    return [];
  }
}
