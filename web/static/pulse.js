// Whether the server is still there: asked every few seconds, and at once after a sleep.
//
// A dead connection looks like a silent one. What is asked must be answered in time; then another
// way is looked for, and only after twice that is this one given up: a busy server answers late.

/** Between questions. */
export const EVERY_MS = 2_500;
/** The same, while a leg depends on the answer. */
export const CLOSELY_MS = 1_500;
/** Without an answer for so long, another connection is tried beside this one. */
export const DOUBT_MS = 2_000;
/** The same after a sleep, or when the network seems to have changed: most likely it is dead. */
export const WOKEN_MS = 1_000;
/** Without an answer for so long it is given up. */
export const DEAD_MS = 6_000;
/** To be looked at so often. */
export const LOOK_MS = 250;
/** Nobody looked for so long: this page, or the whole machine, was asleep. */
const SLEPT_MS = 4_000;

/**
 * @typedef {object} PulseOptions
 * @property {() => void} ask say `ping`
 * @property {() => void} doubt look for another way; called once for each question
 * @property {() => void} dead give this one up
 */

/** Times are milliseconds: `now` never goes back, `wall` goes on while a machine sleeps. */
export class Pulse {
  /** @param {PulseOptions} options */
  constructor(options) {
    this.options = options;
    this.closely = false;
    this.going = this.asking = this.woken = this.doubted = false;
    this.askedAt = this.lookedAt = this.wallAt = 0;
  }

  /** There is nothing to watch. */
  stop() {
    this.going = this.asking = this.woken = this.doubted = false;
  }

  /**
   * A connection is there, and has just been heard.
   * @param {number} now
   * @param {number} wall
   */
  begin(now, wall) {
    this.stop();
    this.going = true;
    this.askedAt = now;
    this.lookedAt = now;
    this.wallAt = wall;
  }

  /**
   * Something was heard. After a sleep only an answer counts: the rest may have come before it.
   * @param {boolean} answer
   */
  heard(answer) {
    if (this.woken && !answer) return;
    this.asking = this.doubted = this.woken = false;
  }

  /**
   * Ask now, because it may be dead.
   * @param {number} now
   */
  suspect(now) {
    if (!this.going || this.woken) return;
    this.woken = true;
    this.doubted = false;
    this.ask(now);
  }

  /** @param {number} now */
  ask(now) {
    this.asking = true;
    this.askedAt = now;
    this.options.ask();
  }

  /**
   * To be called every `LOOK_MS`, as far as the browser lets us.
   * @param {number} now
   * @param {number} wall
   */
  look(now, wall) {
    const gap = Math.max(now - this.lookedAt, wall - this.wallAt);
    this.lookedAt = now;
    this.wallAt = wall;
    if (!this.going) return;
    const since = now - this.askedAt;
    if (gap > SLEPT_MS) {
      // Asked after the sleep before, and awake for too long since without an answer.
      if (this.woken && since > DEAD_MS) this.options.dead();
      else {
        this.woken = false;
        this.suspect(now);
      }
      return;
    }
    if (!this.asking) {
      if (since >= (this.closely ? CLOSELY_MS : EVERY_MS)) this.ask(now);
    } else if (since > DEAD_MS) this.options.dead();
    else if (since > (this.woken ? WOKEN_MS : DOUBT_MS) && !this.doubted) {
      this.doubted = true;
      this.options.doubt();
    }
  }
}
