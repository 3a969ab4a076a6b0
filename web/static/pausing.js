// Pausing, as one party's page sees it: this browser stops sending first, then the other browser is
// told past the server, then the server. Only who paused resumes; the server says whose a pause is.

/** @import {RecordingStatus} from "./types.js" */
/** @import {Leg} from "./leg.js" */
/** @import {Peer} from "./call.js" */
/** @import {Signaling} from "./signaling.js" */

/** The second click of a double one, on the button that has just become `Resume recording`. */
const DOUBLE_MS = 800;

/**
 * @typedef {object} PausingOptions
 * @property {Signaling} signaling
 * @property {Leg} leg
 * @property {() => Peer[]} peers
 * @property {(status: RecordingStatus) => void} show a status that the server has not said yet
 * @property {(error: unknown) => void} refused
 */

export class Pausing {
  /** @param {PausingOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {Promise<void>} settled when this party's last pause is on record, or refused */
    this.recorded = Promise.resolve();
    /** What resuming must name, as the last acknowledgement said. */
    this.number = 0;
    this.since = Number.NEGATIVE_INFINITY;
    this.resuming = false;
    /** @type {RecordingStatus | null} the newest that the server has said */
    this.told = null;
  }

  /**
   * What the page is to show of what the server says: never that recording is on while this party
   * has paused it, though the server may not know that yet.
   * @param {RecordingStatus} status
   * @param {string} you
   * @returns {RecordingStatus}
   */
  seen(status, you) {
    this.told = status;
    const { request, generation } = status;
    if (status.state !== "on" || request === null || !this.options.leg.paused.has(request)) return status;
    for (const peer of this.options.peers()) peer.pause(request, generation);
    return asPaused(status, you);
  }

  /**
   * @param {RecordingStatus} status what the page shows
   * @param {string} you
   */
  pause(status, you) {
    const { request, generation } = status;
    const { leg, peers, signaling, show } = this.options;
    if (!request) return;
    leg.pause(request);
    for (const peer of peers()) peer.pause(request, generation);
    this.since = performance.now();
    this.number = 0;
    this.recorded = signaling.change({ type: "recording.pause", request }).then(
      (result) => {
        this.number = Number(result["generation"]);
      },
      (error) => {
        leg.resume(request);
        this.options.refused(error);
        if (this.told) show(this.told);
      },
    );
    show(asPaused(status, you));
  }

  /**
   * @param {RecordingStatus} status what the page shows
   * @param {string} you
   */
  async resume({ request }, you) {
    if (!request || this.resuming || performance.now() - this.since < DOUBLE_MS) return;
    this.resuming = true;
    try {
      await this.recorded;
      const { leg, signaling } = this.options;
      leg.resume(request);
      // After a reload only the server knows the number; before its word only this page does.
      const generation = Math.max(this.number, this.told?.paused[you] ?? 0);
      await signaling.change({ type: "recording.resume", request, generation });
    } catch (error) {
      this.options.refused(error);
    } finally {
      this.resuming = false;
    }
  }

  /**
   * The other party's browser says that it has paused, past the server.
   * @param {RecordingStatus} status what the page shows
   * @param {string} party
   * @param {{request: string, generation: number}} paused
   */
  byPeer(status, party, { request, generation }) {
    // Under a newer generation the server has had its word since, and has told us.
    if (status.state !== "on" || status.request !== request || status.generation !== generation) return;
    this.options.show(asPaused(status, party));
  }
}

/**
 * Nothing of this generation is sent any more: the leg takes only what comes after it.
 * @param {RecordingStatus} status
 * @param {string} party who has paused
 * @returns {RecordingStatus}
 */
function asPaused(status, party) {
  const generation = status.generation + 1;
  const paused = { ...status.paused, [party]: generation };
  return { ...status, state: "paused", reason: "paused", generation, paused };
}
