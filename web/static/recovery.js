// When the call's own connection is started again: ICE restarts, by one side at a time, not too
// often and not for ever. What to do is a callback; this file knows the time.

/** Disconnected for so long before it is started again: most losses heal by themselves. */
const PATIENCE_MS = 1_500;
/** So much later by the side that gives way, so that not both do. */
const POLITE_MS = 1_500;
/** Back at last: what the other has begun meanwhile is about to be heard, and goes first. */
const WOKEN_MS = 300;
/** Between tries: not longer, because the network may be back without a word. */
const PAUSE_MS = 3_500;
/** Not sooner after the last one, whatever happens. */
const APART_MS = 1_000;
/** Every so many tries the connection is made anew instead. */
const ANEW = 6;
/** Tries before the page says that it has given up: about two minutes. */
const MOST = 36;

/**
 * @typedef {object} RecoveryOptions
 * @property {boolean} polite
 * @property {() => boolean} reachable whether the other page can be told: both are connected to the server
 * @property {() => void} restart start ICE again
 * @property {() => void} remake make the connection anew
 * @property {() => void} changed `broken` or `gaveUp` is another now
 */

export class Recovery {
  /** @param {RecoveryOptions} options */
  constructor(options) {
    this.options = options;
    /** It was there, and is not now. */
    this.broken = false;
    this.gaveUp = false;
    /** It was there at least once. */
    this.worked = false;
    this.tries = 0;
    this.triedAt = Number.NEGATIVE_INFINITY;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {RTCPeerConnectionState} state the connection's, whenever it changes */
  moved(state) {
    if (state === "connected") {
      clearTimeout(this.timer);
      this.worked = true;
      this.broken = this.gaveUp = false;
      this.tries = 0;
    } else if (state === "failed" || (state === "disconnected" && this.worked)) {
      this.broken = true;
      const patience = state === "failed" ? 0 : PATIENCE_MS;
      if (this.tries === 0) this.later(patience + (this.options.polite ? POLITE_MS : 0));
    }
    this.options.changed();
  }

  /**
   * It can be tried again: the way to the other page is open. `mine`: it was our network that was
   * gone, so that it is for us to begin.
   * @param {boolean} mine
   */
  wake(mine) {
    if (!this.broken || this.gaveUp) return;
    this.tries = 0;
    this.later(mine ? WOKEN_MS : POLITE_MS);
  }

  /** @param {number} wait */
  later(wait) {
    clearTimeout(this.timer);
    const soonest = this.triedAt + APART_MS - performance.now();
    this.timer = setTimeout(() => this.again(), Math.max(wait, soonest));
  }

  again() {
    const { reachable, restart, remake, changed } = this.options;
    // Who cannot be told is not asked: `wake` comes when it can.
    if (!this.broken || !reachable()) return;
    if (this.tries >= MOST) {
      this.gaveUp = true;
      changed();
      return;
    }
    this.tries += 1;
    this.triedAt = performance.now();
    this.later(PAUSE_MS);
    if (this.tries % ANEW === 0) remake();
    else restart();
  }

  /** The other page begins: whoever is second waits for what comes of it. */
  theirs() {
    if (!this.broken || this.gaveUp) return;
    this.tries = Math.max(this.tries, 1);
    this.triedAt = performance.now();
    this.later(PAUSE_MS + (this.options.polite ? POLITE_MS : 0));
  }

  /** The path is known to be gone, though the browser has not noticed. */
  restart() {
    if (performance.now() - this.triedAt < APART_MS || !this.options.reachable()) return;
    this.triedAt = performance.now();
    this.options.restart();
  }

  close() {
    clearTimeout(this.timer);
    this.broken = false;
  }
}
