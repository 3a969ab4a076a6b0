// What this page and one other say to each other through the server, numbered: what a lost
// connection took with it is said again, and nothing is taken twice. See signaling/PROTOCOL.md.

import { randomKey } from "./dom.js";

/** Unconfirmed sentences that are kept. Beyond, the conversation starts anew. */
const MOST = 100;
/** A confirmation waits so long for more to confirm. */
const CONFIRM_MS = 250;
/** Asking for what is missing, at most so often. */
const ASK_MS = 1_000;
/** Runs of the other page that are over, so that a late sentence of theirs is not taken for new. */
const MOST_OVER = 8;

/** @typedef {{type: string, to: string, run: string, n: number, [field: string]: unknown}} Numbered */

/**
 * @typedef {object} RelayedOptions
 * @property {string} party the other party
 * @property {(message: object) => void} send to signaling; what cannot be sent now is dropped
 * @property {() => void} renewed make the connection, and so the run, anew: what was said is lost for
 *   good, because the other page is another one or heard nothing for too long
 */

export class Relayed {
  /** @param {RelayedOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {Numbered[]} said, and not yet confirmed */
    this.unheard = [];
    /** The other page's run, and how much of it we have. */
    this.theirs = "";
    this.got = 0;
    /** @type {string[]} */
    this.over = [];
    this.askedAt = Number.NEGATIVE_INFINITY;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.later = undefined;
    this.run = "";
    this.n = this.confirmed = 0;
    this.begin();
  }

  /**
   * A run of our own, from its first sentence: nothing of the one before is said again. One run
   * belongs to one RTCPeerConnection: call this whenever it is made anew.
   */
  begin() {
    this.run = randomKey();
    this.n = 0;
    this.confirmed = 0;
    this.unheard = [];
  }

  /** @param {{type: string, [field: string]: unknown}} message without `to` */
  say(message) {
    if (this.unheard.length >= MOST) {
      this.options.renewed();
      return;
    }
    this.n += 1;
    const numbered = { ...message, to: this.options.party, run: this.run, n: this.n };
    this.unheard.push(numbered);
    this.options.send(numbered);
  }

  /**
   * Whether to act on a sentence of the other page: it is the next one, and no repetition.
   * @param {string | undefined} run
   * @param {number | undefined} n
   */
  takes(run, n) {
    if (run === undefined || n === undefined) return true;
    if (this.over.includes(run)) return false;
    if (run !== this.theirs) {
      if (n !== 1) {
        this.ask(run, 0);
        return false;
      }
      this.turnTo(run);
    }
    if (n > this.got + 1) this.ask(run, this.got);
    else this.confirm();
    if (n !== this.got + 1) return false;
    this.got = n;
    return true;
  }

  /** @param {string} run which the other page, or another one in its place, has begun */
  turnTo(run) {
    if (this.theirs) this.over.push(this.theirs);
    if (this.over.length > MOST_OVER) this.over.shift();
    this.theirs = run;
    this.got = 0;
  }

  /**
   * The other page says how much of ours it has.
   * @param {{run: string, n: number, again: boolean}} said
   */
  heard({ run, n, again }) {
    if (run !== this.run) return;
    if (n < this.confirmed) {
      // It has less than it had: another page, to which the rest alone means nothing.
      if (n === 0) this.options.renewed();
      return;
    }
    this.confirmed = n;
    this.unheard = this.unheard.filter((one) => one.n > n);
    if (again) this.repeat();
  }

  /** The way is open again, ours or the other's: say what may be lost, ask for what is missing. */
  resume() {
    this.repeat();
    if (this.theirs) this.tell(this.theirs, this.got, true);
  }

  repeat() {
    for (const one of this.unheard) this.options.send(one);
  }

  confirm() {
    this.later ??= setTimeout(() => {
      this.later = undefined;
      this.tell(this.theirs, this.got, false);
    }, CONFIRM_MS);
  }

  /**
   * @param {string} run
   * @param {number} n
   */
  ask(run, n) {
    const now = performance.now();
    if (now - this.askedAt < ASK_MS) return;
    this.askedAt = now;
    this.tell(run, n, true);
  }

  /**
   * @param {string} run
   * @param {number} n
   * @param {boolean} again
   */
  tell(run, n, again) {
    this.options.send({ type: "confirm", to: this.options.party, run, n, again });
  }

  close() {
    clearTimeout(this.later);
    this.later = undefined;
  }
}
