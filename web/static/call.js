// The call: one connection to another party, browser to browser, by perfect negotiation.

/** @import {Media} from "./media.js" */

import { Recovery } from "./recovery.js";
import { Relayed } from "./relayed.js";
import { LOOK_MS, received, Stillness } from "./stillness.js";

const CHANNEL = "avsession";
/** How long the polite side waits for the other's offer before it makes its own. */
const POLITE_WAIT_MS = 400;
/** Nothing at all received for so long after a loss: the path is gone, unnoticed by the browser. */
const STILL_MS = 700;
/** Sound or picture came at so many looks in a row: they come all the time. */
const LIVELY = 4;

/**
 * @typedef {object} PeerOptions
 * @property {string} party the other party
 * @property {boolean} polite whether this side gives way when both offer at once
 * @property {RTCConfiguration} config
 * @property {Media} media
 * @property {(message: object) => void} send to signaling, now or not at all
 * @property {() => void} check see whether the server is still there
 * @property {() => boolean} reachable whether the other party's page can be told something now
 */

/**
 * Dispatches `stream` (CustomEvent<MediaStream>), `state` (also when `recovery` has news), `cut` (its detail: the request that the
 * other party has withdrawn from), and `pause` (its detail: the request and the generation of it
 * that the other party has paused).
 */
export class Peer extends EventTarget {
  /** @param {PeerOptions} options */
  constructor(options) {
    super();
    this.options = options;
    this.party = options.party;
    this.closed = false;
    this.makingOffer = false;
    this.ignoring = false;
    /** The other's `o=` session id: another one means that its page was loaded anew. */
    /** Whether our network is back, or another one, since we have last offered. */
    this.back = false;
    this.remoteId = "";
    /** @type {RTCIceCandidateInit[]} */
    this.early = [];
    this.incoming = new MediaStream();
    /** One description after the other: each leaves the connection settled for the next. */
    this.turn = Promise.resolve();
    const { party, polite, send, reachable, check } = options;
    this.relayed = new Relayed({ party, send, renewed: () => this.connect() });
    this.recovery = new Recovery({
      polite,
      reachable,
      check,
      restart: () => this.restart(),
      remake: () => this.connect(),
      changed: () => this.dispatchEvent(new Event("state")),
      healed: () => void this.refresh(),
    });
    this.stillness = new Stillness(LIVELY);
    this.watch = setInterval(() => void this.look(), LOOK_MS);
    this.connect();
    this.retrack = () => void this.replaceTracks();
    options.media.addEventListener("tracks", this.retrack);
  }

  /** A fresh connection, in place of the one before. */
  connect() {
    if (this.closed) return;
    this.pc?.close();
    this.relayed.begin();
    this.makingOffer = this.ignoring = false;
    this.remoteId = "";
    this.early = [];
    this.incoming = new MediaStream();
    this.stillness.begin();
    const outgoing = new MediaStream();
    const { config, media, polite } = this.options;
    const pc = (this.pc = new RTCPeerConnection(config));
    // Audio and video lines are there even without a device, so that one can come later.
    for (const kind of /** @type {const} */ (["audio", "video"])) {
      const track = kind === "audio" ? media.audio : media.video;
      if (track) pc.addTrack(track, outgoing);
      else if (!polite) pc.addTransceiver(kind, { direction: "sendrecv" });
    }
    this.channel = pc.createDataChannel(CHANNEL, { negotiated: true, id: 0 });
    this.channel.onmessage = (event) => this.heardDirectly(event.data);
    const mayOfferFrom = performance.now() + (polite ? POLITE_WAIT_MS : 0);
    pc.onnegotiationneeded = () => void this.offer(pc, mayOfferFrom);
    pc.onicecandidate = ({ candidate }) => pc === this.pc && this.trickle(candidate);
    pc.ontrack = ({ track }) => this.gained(track);
    pc.onconnectionstatechange = () => this.moved(pc);
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {number} from
   */
  async offer(pc, from) {
    const wait = from - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    // While we waited the other side's offer may have come, and settled everything.
    if (pc !== this.pc || pc.signalingState !== "stable" || (wait > 0 && this.remoteId)) return;
    try {
      this.makingOffer = true;
      await pc.setLocalDescription();
      this.describe();
    } catch (error) {
      if (!this.closed && pc === this.pc) console.error(error);
    } finally {
      this.makingOffer = false;
    }
  }

  describe() {
    const local = this.pc?.localDescription;
    if (!local) return;
    if (local.type === "offer") this.back = false;
    this.relayed.say({ type: "describe", kind: local.type, sdp: local.sdp });
  }

  /** @param {RTCIceCandidate | null} candidate */
  trickle(candidate) {
    this.relayed.say({
      type: "trickle",
      candidate: candidate?.candidate ?? "",
      mid: candidate?.sdpMid ?? null,
      line: candidate?.sdpMLineIndex ?? null,
    });
  }

  /**
   * The other's description.
   * @param {RTCSdpType} kind
   * @param {string} sdp
   */
  described(kind, sdp) {
    this.turn = this.turn.then(() => this.take(kind, sdp)).catch((error) => console.error(error));
  }

  /**
   * @param {RTCSdpType} kind
   * @param {string} sdp
   */
  async take(kind, sdp) {
    const id = /^o=\S+ (\S+)/m.exec(sdp)?.[1] ?? "";
    if (this.remoteId && id !== this.remoteId) {
      this.connect();
      if (kind === "answer") return; // meant for the connection that we have just given up
    }
    const pc = this.pc;
    if (!pc || this.closed) return;
    const collision = kind === "offer" && (this.makingOffer || pc.signalingState !== "stable");
    this.ignoring = collision && !this.options.polite;
    if (this.ignoring || (kind === "answer" && pc.signalingState !== "have-local-offer")) return;
    this.remoteId = id;
    if (kind === "offer") this.recovery.theirs();
    await pc.setRemoteDescription({ type: kind, sdp });
    for (const candidate of this.early.splice(0)) await this.add(pc, candidate);
    if (kind !== "offer") return;
    this.fillTransceivers(pc);
    await pc.setLocalDescription();
    this.describe();
  }

  /**
   * Answer both directions even where we have no device yet.
   * @param {RTCPeerConnection} pc
   */
  fillTransceivers(pc) {
    for (const transceiver of pc.getTransceivers()) {
      if (transceiver.direction === "recvonly") transceiver.direction = "sendrecv";
    }
  }

  /**
   * @param {string} candidate
   * @param {string | null} mid
   * @param {number | null} line
   */
  trickled(candidate, mid, line) {
    // After the descriptions that came before it, one of which may make the connection anew.
    this.turn = this.turn.then(() => this.candidate(candidate, mid, line));
  }

  /**
   * @param {string} candidate
   * @param {string | null} mid
   * @param {number | null} line
   */
  async candidate(candidate, mid, line) {
    const init = candidate ? { candidate, sdpMid: mid, sdpMLineIndex: line } : undefined;
    const pc = this.pc;
    if (!pc || this.closed || !init) return;
    if (pc.remoteDescription) await this.add(pc, init);
    else this.early.push(init);
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {RTCIceCandidateInit} candidate
   */
  async add(pc, candidate) {
    try {
      await pc.addIceCandidate(candidate);
    } catch (error) {
      // Candidates of an offer that we ignored belong to nothing, nor do those of an older one.
      if (!this.ignoring) console.debug("candidate not used", error);
    }
  }

  /** @param {MediaStreamTrack} track */
  gained(track) {
    // A new stream each time: a <video> then notices that a track was replaced.
    const others = this.incoming.getTracks().filter(({ kind }) => kind !== track.kind);
    this.incoming = new MediaStream([...others, track]);
    this.dispatchEvent(new CustomEvent("stream", { detail: this.incoming }));
  }

  /** @param {RTCPeerConnection} pc */
  moved(pc) {
    if (pc === this.pc && !this.closed) this.recovery.moved(pc.connectionState);
  }

  /** Whether sound and picture still come. */
  async look() {
    const pc = this.pc;
    const bytes = await received(pc);
    if (!pc || pc !== this.pc || this.closed) return;
    const way = pc.getSenders()[0]?.transport?.iceTransport;
    if (way) way.onselectedcandidatepairchange = () => this.recovery.troubled && void this.refresh();
    if (pc.connectionState === "connected") this.recovery.still(this.stillness.look(performance.now(), bytes));
    else this.stillness.begin();
  }

  /** After a break the other browser waits for a whole picture, up to 3 s: make one now. */
  async refresh() {
    const sender = this.pc?.getSenders().find(({ track }) => track?.kind === "video");
    for (const active of [false, true]) {
      const parameters = sender?.getParameters();
      const [encoding] = parameters?.encodings ?? [];
      if (!sender || !parameters || !encoding) return;
      encoding.active = active;
      await sender.setParameters(parameters).catch(() => undefined);
    }
  }

  /**
   * Other servers, or other credentials for them, for the next path that is looked for.
   * @param {RTCConfiguration} config
   */
  reach(config) {
    this.options.config = config;
    if (!this.closed) this.pc?.setConfiguration(config);
  }

  /** Take a new path while the old one still stands. The answer renews the other side's, too. */
  renew() {
    if (this.closed || this.options.polite) return;
    if (this.pc?.connectionState === "connected") this.pc.restartIce();
  }

  /** Look for another path: the one that is there goes on as long as it can. */
  restart() {
    const pc = this.pc;
    if (!pc || this.closed) return;
    // While the other hears nothing, offers would only pile up, and make each other void when it
    // does; a reason for another one is that our own network has changed.
    const waiting = pc.signalingState === "have-local-offer";
    if (waiting && this.relayed.unheard.length > 0 && !this.back) return;
    // Whatever took the path may have taken the way to the server, too.
    this.options.check();
    pc.restartIce();
    // In `stable` the browser asks for the offer; an offer without an answer is made anew by us.
    if (waiting) void this.reoffer(pc);
  }

  /** @param {RTCPeerConnection} pc */
  async reoffer(pc) {
    await pc.setLocalDescription().catch((error) => console.error(error));
    if (pc === this.pc && pc.signalingState === "have-local-offer") this.describe();
  }

  /**
   * The way to the other page is open again.
   * @param {boolean} mine whether it was our own connection that was lost
   */
  resume(mine) {
    this.back ||= mine;
    this.relayed.resume();
    if (this.recovery.troubled) this.recovery.wake(mine);
    else if (mine) void this.doubt();
  }

  /** The network may be another one: if nothing comes over the path any more, look for a new one. */
  async doubt() {
    const pc = this.pc;
    const before = await received(pc);
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));
    const same = pc && pc === this.pc && !this.closed && pc.connectionState === "connected";
    if (same && (await received(pc)) === before) this.recovery.restart();
  }

  async replaceTracks() {
    const { media } = this.options;
    for (const sender of this.pc?.getTransceivers() ?? []) {
      const track = sender.receiver.track.kind === "audio" ? media.audio : media.video;
      await sender.sender.replaceTrack(track).catch(() => undefined);
    }
  }

  /** @param {unknown} data */
  heardDirectly(data) {
    try {
      const message = JSON.parse(String(data));
      if (message?.type === "cut") {
        this.dispatchEvent(new CustomEvent("cut", { detail: String(message.request) }));
      }
      if (message?.type === "pause") {
        const detail = { request: String(message.request), generation: Number(message.generation) };
        this.dispatchEvent(new CustomEvent("pause", { detail }));
      }
    } catch {
      // Nothing else is said on this channel.
    }
  }

  /**
   * Tell the other browser at once, past the server, that this request is withdrawn from.
   * @param {string} request
   */
  cut(request) {
    this.sayDirectly({ type: "cut", request });
  }

  /**
   * Tell it at once that nothing is to be recorded under this generation any more.
   * @param {string} request
   * @param {number} generation
   */
  pause(request, generation) {
    this.sayDirectly({ type: "pause", request, generation });
  }

  /** @param {object} message */
  sayDirectly(message) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
  }

  close() {
    this.closed = true;
    clearInterval(this.watch);
    this.relayed.close();
    this.recovery.close();
    this.options.media.removeEventListener("tracks", this.retrack);
    this.pc?.close();
  }
}
