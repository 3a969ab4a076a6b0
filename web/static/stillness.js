// Whether anything still comes over a connection's path: the browser itself takes 5 to 8 s to say
// that one is dead. Sound and picture come many times a second, a recorder's reports every second.

/** To be looked at so often. */
export const LOOK_MS = 400;
/** Nobody looked for so long: this page was asleep, and nothing is known. */
const SLEPT_MS = 2_000;

/** Times are milliseconds that never go back. */
export class Stillness {
  /**
   * @param {number} lively looks in a row that found something new: then something comes all the
   *   time, and only then its absence means anything
   */
  constructor(lively) {
    this.lively = lively;
    this.bytes = -1;
    this.news = 0;
    this.since = this.lookedAt = Number.NEGATIVE_INFINITY;
  }

  /** Another path, or a sleep: nothing is known. */
  begin() {
    this.bytes = -1;
    this.news = 0;
    this.since = this.lookedAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * For how long nothing has come where something came all the time; 0: that cannot be said.
   * @param {number} now
   * @param {number} bytes that have come over the path, ever
   */
  look(now, bytes) {
    if (now - this.lookedAt > SLEPT_MS) this.begin();
    this.lookedAt = now;
    if (bytes !== this.bytes) {
      // After a break it must prove itself anew: perhaps there is little to say from now on.
      const steady = now - this.since <= 2 * LOOK_MS;
      this.news = steady ? this.news + 1 : 1;
      this.bytes = bytes;
      this.since = now;
    }
    return this.news >= this.lively ? now - this.since : 0;
  }
}

/**
 * How long a connection may take to come about. What it says first is lost on a path that is gone,
 * and said again more and more seldom: the browser itself gives up after 15 s, though the path may
 * have been back for long.
 */
export class Patience {
  /** @param {number} shortMs where the network is in doubt */
  constructor(shortMs) {
    this.shortMs = shortMs;
    this.limitMs = Number.POSITIVE_INFINITY;
    /** In a row that broke, or did not come about, where nothing else was wrong. */
    this.broken = 0;
  }

  /**
   * One is begun.
   * @param {boolean} doubtful whether the network is in doubt; the limit stays when that is over
   */
  begin(doubtful) {
    this.limitMs = Number.POSITIVE_INFINITY;
    if (doubtful) this.limitMs = this.shortMs;
    // longer each time: a slow network must get there in the end
    else if (this.broken) this.limitMs = this.shortMs * 2 ** (this.broken - 1);
  }

  /** It is there. */
  came() {
    this.broken = 0;
  }

  /**
   * It broke, or was given up.
   * @param {boolean} doubtful
   */
  broke(doubtful) {
    if (!doubtful) this.broken += 1;
  }

  /**
   * Whether one that was begun so long ago is to be given up.
   * @param {number} ms
   * @param {boolean} doubtful
   */
  over(ms, doubtful) {
    return ms > (doubtful ? this.shortMs : this.limitMs);
  }
}

/**
 * Bytes that have come over a connection's path.
 * @param {RTCPeerConnection | null | undefined} pc
 */
export async function received(pc) {
  let bytes = 0;
  (await pc?.getStats())?.forEach((report) => {
    if (report.type === "transport") bytes += report.bytesReceived ?? 0;
  });
  return bytes;
}
