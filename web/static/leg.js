// The recorder's leg: this browser's connection to the recorder, and the lock in front of it.
//
// `lock.js` says whether one may be made; this file makes it, and cuts it. Cutting is immediate
// and asks nobody. There is at most one leg.

/** @import {Grant, PartyInfo, RecordingStatus, SignedConsent} from "./types.js" */
/** @import {Media} from "./media.js" */

import { Allowed } from "./allowed.js";
import { serverNow } from "./api.js";
import { Governor } from "./governor.js";
import { readGrant, refusal } from "./lock.js";
import { LOOK_MS, Patience, received, Stillness } from "./stillness.js";

/** Without a word from the server for so long, the leg is cut: consent may have been withdrawn. */
const SILENCE_MS = 5_000;
/** Nothing from the recorder for so long, which reports every second: the path is gone. */
const STILL_MS = 3_000;
/** The same where the network is in doubt anyway: the call's path is gone, or the server was. */
const DOUBTFUL_MS = 1_600;
/** A leg that was begun in such a network and does not come about in this time is tried anew. */
const STUCK_MS = 2_500;
const AUDIO_BITRATE = 64_000;

/**
 * @typedef {object} LegOptions
 * @property {Media} media
 * @property {(message: object) => void} send to signaling
 * @property {() => number} silence milliseconds since the server was last heard
 * @property {() => void} lost the server is not heard any more
 * @property {() => RTCPeerConnection | null} call the call's own connection, which goes first
 * @property {() => boolean} troubled whether the call's own path is gone, as far as anybody knows
 */

export class Leg {
  /** @param {LegOptions} options */
  constructor(options) {
    this.options = options;
    this.you = "";
    this.session = "";
    /** @type {RTCConfiguration} */
    this.config = {};
    this.given = new Allowed();
    /** @type {RecordingStatus | null} what the page shows */
    this.shown = null;
    /** @type {Set<string>} */
    this.stopped = new Set();
    /** @type {Set<string>} requests under which this very party has paused */
    this.paused = new Set();
    /** @type {PartyInfo[]} */
    this.parties = [];
    this.newest = 0;
    /** @type {Grant | null} */
    this.grant = null;
    /** @type {RTCPeerConnection | null} */
    this.pc = null;
    /** What a person or a test may be told: none, connecting, connected, cut or refused, and why. */
    this.state = "none";
    /** @type {Governor | null} */
    this.governor = null;
    /** @type {{recording: string, generation: number} | null} what the leg was offered for */
    this.offer = null;
    this.offeredAt = 0;
    this.stillness = new Stillness(1);
    this.patience = new Patience(STUCK_MS);
    this.stillMs = 0;
    this.watch = setInterval(() => this.check(), 250);
    this.listening = setInterval(() => void this.listen(), LOOK_MS);
    this.retrack = () => void this.replaceTracks();
    options.media.addEventListener("tracks", this.retrack);
  }

  /** Whether anything is, or is about to be, sent to a recorder. */
  get live() {
    return this.pc !== null;
  }

  /**
   * This party itself has pressed Allow for this request, and signed it.
   * @param {string} request
   * @param {SignedConsent} consent
   */
  allow(request, consent) {
    if (!this.stopped.has(request)) this.given.set(request, consent);
  }

  /**
   * Nothing more under this request, whatever else is heard: withdrawn from or stopped.
   * @param {string} request
   * @param {string} why
   */
  stop(request, why) {
    this.stopped.add(request);
    this.given.delete(request);
    if (this.grant?.request === request) this.cut(why);
  }

  /**
   * Nothing more under this request until this party resumes, whatever else is heard.
   * @param {string} request
   */
  pause(request) {
    this.paused.add(request);
    if (this.grant?.request === request) this.cut("paused");
  }

  /** @param {string} request */
  resume(request) {
    this.paused.delete(request);
  }

  /** @param {PartyInfo[]} parties */
  setParties(parties) {
    this.parties = parties;
    const ours = new Set(this.grant?.legs.map(({ party }) => party));
    const others = parties.filter(({ role }) => role !== "recorder");
    const known = others.every(({ party, presence }) => ours.has(party) && presence === "present");
    if (this.live && (!known || others.length !== ours.size)) this.cut("parties");
  }

  /** @param {RecordingStatus} status */
  setStatus(status) {
    this.shown = status;
    if (status.generation > this.newest) {
      this.newest = status.generation;
      if (this.grant && this.grant.generation < this.newest) this.cut("generation");
    }
    if (status.state !== "on") this.cut("off");
  }

  /** @param {string} token */
  setGrant(token) {
    const grant = readGrant(token);
    if (!grant || grant.generation < this.newest) return;
    if (this.grant && this.grant.generation !== grant.generation) this.cut("generation");
    this.newest = grant.generation;
    this.grant = grant;
  }

  /**
   * Welcomed while the gate is open: what was cut here in the silence may not be known there.
   * @param {string} token
   */
  comeBack(token) {
    this.setGrant(token);
    const { grant } = this;
    if (this.live) {
      if (this.stillMs > DOUBTFUL_MS) this.broke();
      return;
    }
    if (!grant || this.shown?.state !== "on") return;
    const { recording, generation } = grant;
    this.options.send({ type: "leg.failed", recording, generation, reason: "silence" });
  }

  /**
   * The recorder offers a leg: make it, or say why not.
   * @param {{recording: string, generation: number, sdp: string}} offer
   */
  async offered(offer) {
    const why = refusal({ ...this.situation(), grant: this.grant }, offer);
    if (why || !this.grant) {
      // A leg that runs rightly is not disturbed by an offer that has no right to be.
      this.refuse(offer, why);
      return;
    }
    await this.begin(offer);
  }

  /** @param {{recording: string, generation: number, sdp: string}} offer that may be answered */
  async begin(offer) {
    this.close();
    const pc = new RTCPeerConnection(this.config);
    this.pc = pc;
    this.offer = offer;
    this.offeredAt = performance.now();
    this.stillness.begin();
    this.patience.begin(this.options.troubled());
    this.stillMs = 0;
    this.state = "connecting";
    const { recording, generation } = offer;
    pc.onicecandidate = ({ candidate }) => {
      if (this.pc !== pc) return;
      const mid = candidate?.sdpMid ?? null;
      const text = candidate?.candidate ?? "";
      this.options.send({ type: "leg.trickle", recording, generation, candidate: text, mid });
    };
    pc.onconnectionstatechange = () => this.moved(pc, offer);
    try {
      await this.answer(pc, offer);
    } catch (error) {
      console.error(error);
      if (this.pc === pc) this.fail(offer, "sdp.refused");
    }
  }

  situation() {
    const { you, session, given, stopped, paused, parties, newest, shown } = this;
    return { you, session, given, stopped, paused, parties, newest, shown, now: serverNow() };
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {{recording: string, generation: number, sdp: string}} offer
   */
  async answer(pc, { recording, generation, sdp }) {
    const { media, send } = this.options;
    await pc.setRemoteDescription({ type: "offer", sdp });
    for (const transceiver of pc.getTransceivers()) {
      const track = transceiver.receiver.track.kind === "audio" ? media.audio : media.video;
      transceiver.direction = "sendonly";
      await transceiver.sender.replaceTrack(track);
    }
    const answer = await pc.createAnswer();
    // Cut while we were preparing: then not a packet leaves.
    if (this.pc !== pc) return;
    await pc.setLocalDescription(answer);
    if (this.pc !== pc || !this.grant) return;
    send({ type: "leg.answer", recording, generation, sdp: answer.sdp ?? "" });
    this.governor = new Governor(pc, this.options.call, {
      height: this.grant.max_height,
      bitrate: Math.max(100_000, this.grant.max_bitrate - AUDIO_BITRATE),
    });
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {{recording: string, generation: number}} offer
   */
  moved(pc, offer) {
    if (this.pc !== pc) return;
    if (pc.connectionState === "connected") {
      this.state = "connected";
      this.patience.came();
    }
    if (pc.connectionState === "failed") this.fail(offer, "connection.failed");
  }

  /**
   * @param {{recording: string, generation: number}} offer
   * @param {string} reason
   */
  fail(offer, reason) {
    this.close();
    this.refuse(offer, reason);
  }

  /**
   * @param {{recording: string, generation: number}} offer
   * @param {string} reason
   */
  refuse({ recording, generation }, reason) {
    if (!this.live) this.state = `refused:${reason}`;
    this.options.send({ type: "leg.failed", recording, generation, reason });
  }

  /**
   * Send nothing more, now. The grant is spent: another leg needs another one.
   * @param {string} why
   */
  cut(why) {
    this.grant = null;
    if (!this.live) return;
    this.close();
    this.state = `cut:${why}`;
  }

  close() {
    this.governor?.stop();
    this.governor = null;
    const pc = this.pc;
    this.pc = this.offer = null;
    this.stillMs = 0;
    pc?.close();
  }

  check() {
    if (!this.live || this.options.silence() <= SILENCE_MS) return;
    this.cut("silence");
    // The server may not have noticed. Coming back anew makes it close this gate and open another.
    this.options.lost();
  }

  /** Whether the recorder still reports: the browser would take far longer to notice. */
  async listen() {
    const pc = this.pc;
    const bytes = await received(pc);
    if (!pc || pc !== this.pc) return;
    const now = performance.now();
    const troubled = this.options.troubled();
    if (pc.connectionState !== "connected") {
      if (this.patience.over(now - this.offeredAt, troubled)) this.broke();
      return;
    }
    this.stillMs = this.stillness.look(now, bytes);
    if (this.stillMs > (troubled ? DOUBTFUL_MS : STILL_MS)) this.broke();
  }

  /** The path to the recorder is gone: it makes another leg as soon as it hears of that. */
  broke() {
    if (!this.live || !this.offer) return;
    this.patience.broke(this.options.troubled());
    this.fail(this.offer, "connection.failed");
  }

  async replaceTracks() {
    const { media } = this.options;
    for (const { sender, receiver } of this.pc?.getTransceivers() ?? []) {
      const track = receiver.track.kind === "audio" ? media.audio : media.video;
      await sender.replaceTrack(track).catch(() => undefined);
    }
    await this.governor?.apply();
  }

  /** The call is over. */
  end() {
    this.cut("ended");
    clearInterval(this.watch);
    clearInterval(this.listening);
    this.options.media.removeEventListener("tracks", this.retrack);
  }

  /** Bytes that have left for the recorder on the present leg. */
  async bytesSent() {
    let bytes = 0;
    const stats = await this.pc?.getStats();
    stats?.forEach((report) => {
      if (report.type === "outbound-rtp") bytes += report.bytesSent ?? 0;
    });
    return bytes;
  }
}
