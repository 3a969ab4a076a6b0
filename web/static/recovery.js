// When the call's own connection is started again: ICE restarts, by one side at a time, not too
// often and not for ever. What to do is a callback; this file knows the time.

/** Disconnected for so long before it is started again: most losses heal by themselves. */
const PATIENCE_MS = 1_500;
/** Nothing comes for so long, while the browser calls it connected: it is looked into, */
export const STILL_MS = 800;
/** after so long that the server has shown that it is there, */
const SURE_MS = 150;
/** and after so long it is said. */
export const SAID_MS = 2_500;
/** So much later by the side that gives way, so that not both do. */
const POLITE_MS = 1_500;
/** Back at last: what the other has begun meanwhile is about to be heard, and goes first. */
const WOKEN_MS = 300;
/** Between tries: not longer, because the network may be back without a word; */
const PAUSE_MS = 2_500;
/** a little longer after so many. */
const LATER_MS = 3_500;
const SOON = 8;
/** Not sooner after the last one, whatever happens. */
const APART_MS = 1_000;
/** Every so many tries the connection is made anew instead. */
const ANEW = 6;
/** Tries before the page says that it has given up: about two minutes. */
const MOST = 40;

/**
 * @typedef {object} RecoveryOptions
 * @property {boolean} polite
 * @property {() => boolean} reachable whether the other page can be told: both are connected to the server
 * @property {() => void} check see whether the server is still there: `reachable` is false until it is sure
 * @property {() => void} restart start ICE again
 * @property {() => void} remake make the connection anew
 * @property {() => void} [healed] something comes again after a break
 * @property {() => void} changed `broken` or `gaveUp` is another now
 */

export class Recovery {
  /** @param {RecoveryOptions} options */
  constructor(options) {
    this.options = options;
    /** It was there, and the browser says that it is not now. */
    this.gone = false;
    /** The browser calls it connected, and nothing has come for so long. */
    this.stillMs = 0;
    /** Either, and for so long that it is to be said. */
    this.broken = false;
    this.gaveUp = false;
    /** It was there at least once. */
    this.worked = false;
    this.tries = 0;
    this.triedAt = Number.NEGATIVE_INFINITY;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Whether there is something to recover from. */
  get troubled() {
    return this.gone || this.stillMs >= STILL_MS;
  }

  /** Between this try and the next. */
  get pause() {
    return this.tries < SOON ? PAUSE_MS : LATER_MS;
  }

  /** @param {RTCPeerConnectionState} state the connection's, whenever it changes */
  moved(state) {
    if (state === "connected") {
      const { troubled } = this;
      this.worked = true;
      this.stillMs = 0;
      this.healed(troubled);
    } else if (state === "failed" || (state === "disconnected" && this.worked)) {
      this.gone = this.broken = true;
      const patience = state === "failed" || this.stillMs > PATIENCE_MS ? 0 : PATIENCE_MS;
      if (this.tries === 0) this.later(patience + (this.options.polite ? POLITE_MS : 0));
    }
    this.options.changed();
  }

  /**
   * For how long nothing has come over a path that the browser calls connected; 0: it goes on, or
   * that cannot be said. To be told again and again.
   * @param {number} ms
   */
  still(ms) {
    if (this.gone) return;
    const before = this.troubled;
    this.stillMs = ms;
    if (!this.troubled) {
      if (before) this.healed(true);
    } else {
      // A dead path may be a dead network: then the server is not there either.
      if (!before) this.options.check();
      const wait = STILL_MS + (this.options.polite ? POLITE_MS : 0);
      const since = performance.now() - this.triedAt;
      if (this.timer === undefined && ms >= wait) this.later(Math.max(SURE_MS, this.pause - since));
    }
    if (this.broken === ms >= SAID_MS) return;
    this.broken = ms >= SAID_MS;
    this.options.changed();
  }

  /** @param {boolean} troubled whether it needed to be */
  healed(troubled) {
    this.stop();
    const said = this.broken;
    this.gone = this.broken = this.gaveUp = false;
    this.tries = 0;
    if (said) this.options.changed();
    if (troubled) this.options.healed?.();
  }

  /**
   * It can be tried again: the way to the other page is open. `mine`: it was our network that was
   * gone, so that it is for us to begin.
   * @param {boolean} mine
   */
  wake(mine) {
    if (!this.troubled || this.gaveUp) return;
    this.tries = 0;
    this.later(mine ? WOKEN_MS : POLITE_MS);
  }

  /** @param {number} wait */
  later(wait) {
    this.stop();
    const soonest = this.triedAt + APART_MS - performance.now();
    this.timer = setTimeout(() => this.again(), Math.max(wait, soonest));
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  again() {
    this.timer = undefined;
    const { reachable, restart, remake, changed } = this.options;
    // Who cannot be told is not asked: `wake` comes when it can, or `still` again.
    if (!this.troubled || this.gaveUp || !reachable()) return;
    if (this.tries >= MOST) {
      this.gaveUp = this.broken = true;
      changed();
      return;
    }
    this.tries += 1;
    this.triedAt = performance.now();
    this.later(this.pause);
    if (this.tries % ANEW === 0) remake();
    else restart();
  }

  /** The other page begins: whoever is second waits for what comes of it. */
  theirs() {
    if (!this.troubled || this.gaveUp) return;
    this.tries = Math.max(this.tries, 1);
    this.triedAt = performance.now();
    this.later(this.pause + (this.options.polite ? POLITE_MS : 0));
  }

  /** The path is known to be gone, though the browser has not noticed. */
  restart() {
    if (performance.now() - this.triedAt < APART_MS || !this.options.reachable()) return;
    this.triedAt = performance.now();
    this.options.restart();
  }

  close() {
    this.stop();
    this.gone = this.broken = false;
    this.stillMs = 0;
  }
}
