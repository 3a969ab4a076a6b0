// How good the call was, in seven numbers, if analytics is allowed: what the browser itself measures
// (getStats), no content and nobody's name. Sent once, when the call is over, and only counted there.

/** @import {Room} from "./room.js" */

import { postAndGo } from "./api.js";
import { allows } from "./stored.js";

const FIRST_MS = 2_000;
const EVERY_MS = 5_000;
/** Samples that are kept: the last hour's. */
const MOST = 720;

/** @typedef {{round_trip?: number, jitter?: number, loss?: number, height?: number, frames?: number, freezes?: number}} Sample */

export class Quality {
  /**
   * @param {() => Room | null} room
   * @param {() => string} path where a call's figures are counted
   */
  constructor(room, path) {
    this.room = room;
    this.path = path;
    /** @type {Sample[]} */
    this.samples = [];
    this.timer = 0;
    this.going = false;
    addEventListener("pagehide", () => this.end());
  }

  /** The call begins. */
  start() {
    this.samples = [];
    this.going = true;
    this.again(FIRST_MS);
  }

  /** @param {number} wait */
  again(wait) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.look(), wait);
  }

  async look() {
    if (!this.going) return;
    // Not measured before it is allowed, and forgotten when it is not any more.
    if (!allows("analytics")) this.samples = [];
    else await this.sample();
    this.again(EVERY_MS);
  }

  async sample() {
    for (const peer of this.room()?.peers.values() ?? []) {
      const report = await peer.pc?.getStats().catch(() => undefined);
      if (!report || !this.going || !allows("analytics")) return;
      this.samples.push(figuresOf(report));
      this.samples.splice(0, this.samples.length - MOST);
    }
  }

  /** The call is over, or the page goes: what was measured is sent, once. */
  end() {
    clearTimeout(this.timer);
    const { going, samples } = this;
    this.going = false;
    this.samples = [];
    if (!going || samples.length === 0 || !allows("analytics")) return;
    const first = this.room()?.firstFrameMs ?? null;
    postAndGo(this.path(), summed(samples, first));
  }
}

/** @param {RTCStatsReport} report */
function figuresOf(report) {
  /** @type {Sample} */
  const found = {};
  let lost = 0;
  let received = 0;
  report.forEach((one) => {
    if (one.type === "candidate-pair" && one.nominated && one.currentRoundTripTime !== undefined) {
      found.round_trip = one.currentRoundTripTime * 1000;
    }
    if (one.type !== "inbound-rtp") return;
    lost += Math.max(0, one.packetsLost ?? 0);
    received += one.packetsReceived ?? 0;
    if (one.kind === "audio" && one.jitter !== undefined) found.jitter = one.jitter * 1000;
    if (one.kind !== "video") return;
    if (one.frameHeight) found.height = one.frameHeight;
    if (one.framesPerSecond !== undefined) found.frames = one.framesPerSecond;
    found.freezes = one.freezeCount ?? 0;
  });
  if (lost + received > 0) found.loss = (lost / (lost + received)) * 1000;
  return found;
}

/**
 * The whole call: the middle of what goes up and down, the last of what is counted.
 * @param {Sample[]} samples
 * @param {number | null} first
 */
function summed(samples, first) {
  return {
    first_frame: rounded(first),
    round_trip: rounded(middle(samples.map((one) => one.round_trip))),
    jitter: rounded(middle(samples.map((one) => one.jitter))),
    height: rounded(middle(samples.map((one) => one.height))),
    frames: rounded(middle(samples.map((one) => one.frames))),
    loss: rounded(last(samples.map((one) => one.loss))),
    freezes: rounded(last(samples.map((one) => one.freezes))),
  };
}

/** @param {(number | undefined)[]} values */
function middle(values) {
  const there = values.filter((one) => one !== undefined).sort((a, b) => a - b);
  return there[Math.floor(there.length / 2)] ?? null;
}

/** @param {(number | undefined)[]} values */
function last(values) {
  return values.filter((one) => one !== undefined).at(-1) ?? null;
}

/** @param {number | null} value */
function rounded(value) {
  return value === null ? null : Math.min(1_000_000, Math.round(value));
}
