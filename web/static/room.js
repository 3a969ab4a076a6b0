// A call from `Join call` to its end: what the server says goes to the parts that know what to do
// with it, and what the person does goes out. The recording's part is in recording.js.

/** @import {About, PartyInfo, Ticket, ToParty, Welcome} from "./types.js" */
/** @import {Media} from "./media.js" */

import { Peer } from "./call.js";
import { byId, show } from "./dom.js";
import { Recording } from "./recording.js";
import { Signaling } from "./signaling.js";
import { allowSound } from "./sound.js";
import { Standing } from "./standing.js";
import { Stage } from "./stage.js";

/**
 * @typedef {object} RoomOptions
 * @property {(signal: AbortSignal) => Promise<Ticket>} ticket
 * @property {About} about
 * @property {Media} media
 * @property {boolean} agent whether this party may ask to record
 * @property {() => string} receiptPath where this party's receipts are asked for
 * @property {(reason: string) => void} ended the call is over for this page
 * @property {() => void} [met] somebody else is in the call
 */

export class Room {
  /** @param {RoomOptions} options */
  constructor(options) {
    this.options = options;
    this.you = "";
    /** @type {PartyInfo[]} */
    this.parties = [];
    /** @type {Map<string, Peer>} */
    this.peers = new Map();
    /** @type {RTCConfiguration} */
    this.config = {};
    this.over = false;
    this.startedAt = 0;
    /** @type {number | null} */
    this.firstFrameMs = null;
    const { media, about } = options;
    this.signaling = new Signaling(options.ticket, about.build);
    this.recording = new Recording({
      signaling: this.signaling,
      media,
      about,
      peers: () => [...this.peers.values()],
      receiptPath: options.receiptPath,
    });
    this.stage = new Stage(media, {
      end: () => this.leave(),
      stop: () => this.recording.stop(),
      pause: () => this.recording.togglePause(),
      withdraw: () => this.recording.withdraw(),
      receipt: () => this.recording.saveReceipt(),
      request: options.agent ? () => this.recording.openRequest() : null,
    });
    this.recording.stage = this.stage;
    this.standing = new Standing((key) => this.stage.setStanding(key));
    this.onOnline = () => this.peers.forEach((peer) => void peer.doubt());
    this.onState = () => this.tellMedia();
    this.onCamera = (/** @type {Event} */ event) => {
      if (event instanceof CustomEvent) this.stage.setNote(event.detail && `devices.${event.detail}`);
    };
    this.onHide = () => this.hidden();
  }

  /** @param {number} clickedAt performance.now() of the click on `Join call` */
  start(clickedAt) {
    this.startedAt = clickedAt;
    allowSound();
    const { signaling } = this;
    signaling.addEventListener("message", (event) => {
      if (event instanceof CustomEvent) this.heard(event.detail);
    });
    signaling.addEventListener("down", () => this.lost());
    signaling.addEventListener("up", () => this.stage.setNote(""));
    signaling.addEventListener("over", (event) => {
      if (event instanceof CustomEvent) this.finish(event.detail);
    });
    this.options.media.addEventListener("state", this.onState);
    this.options.media.addEventListener("camera", this.onCamera);
    addEventListener("pagehide", this.onHide);
    addEventListener("online", this.onOnline);
    // Brought back from the back-forward cache, the page shows a call that it has left.
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
    byId("call", HTMLElement).focus({ preventScroll: true });
    void signaling.start();
  }

  /** @param {ToParty} message */
  heard(message) {
    this.recording.heard(message);
    switch (message.type) {
      case "welcome":
        this.welcomed(message);
        break;
      case "parties":
        this.setParties(message.parties);
        break;
      case "ice.servers":
        this.reach(message.ice_servers);
        for (const peer of this.peers.values()) peer.renew();
        break;
      case "described":
      case "trickled":
        this.relayed(message);
        break;
      case "confirmed":
        this.peer(message.sender)?.relayed.heard(message);
        break;
      case "server.stops":
        this.stage.setNote("call.server_stops");
        break;
      case "error":
        if (!message.key) console.debug(message.code, message.message);
        break;
      default:
        break;
    }
  }

  /** @param {Extract<ToParty, {type: "described" | "trickled"}>} message */
  relayed(message) {
    const peer = this.peer(message.sender);
    if (!peer?.relayed.takes(message.run, message.n)) return;
    if (message.type === "described") peer.described(message.kind, message.sdp);
    else peer.trickled(message.candidate, message.mid ?? null, message.line ?? null);
  }

  /** The server is not connected any more; it is being tried again. */
  lost() {
    this.recording.lost();
    this.see();
  }

  /** What there is to say of the connections themselves. */
  see() {
    const others = this.parties.filter(({ party, role }) => party !== this.you && role !== "recorder");
    const all = [...this.peers.values()];
    this.standing.see({
      server: this.signaling.up,
      broken: all.some(({ recovery }) => recovery.broken),
      gaveUp: all.some(({ recovery }) => recovery.gaveUp),
      away: others.some(({ presence }) => presence !== "present"),
    });
  }

  /** @param {Welcome} welcome */
  welcomed(welcome) {
    this.you = welcome.you;
    this.reach(welcome.ice_servers, welcome.relay_only ? "relay" : "all");
    this.setParties(welcome.parties);
    // What we said last may have been lost with the old socket.
    for (const peer of this.peers.values()) peer.resume(true);
    this.tellMedia();
  }

  /**
   * How others are reached, on this call's connection and on the recorder's leg.
   * @param {RTCIceServer[]} iceServers
   * @param {RTCIceTransportPolicy} [iceTransportPolicy]
   */
  reach(iceServers, iceTransportPolicy = this.config.iceTransportPolicy) {
    this.config = { iceServers, iceTransportPolicy, bundlePolicy: "max-bundle" };
    this.recording.leg.config = this.config;
    for (const peer of this.peers.values()) peer.reach(this.config);
  }

  /** @param {PartyInfo[]} parties */
  setParties(parties) {
    const before = new Map(this.parties.map((one) => [one.party, one.presence]));
    this.parties = parties;
    for (const [party, peer] of this.peers) {
      if (parties.some((one) => one.party === party)) continue;
      peer.close();
      this.peers.delete(party);
    }
    this.stage.setParties(this.you, parties);
    if (parties.some(({ party, role }) => party !== this.you && role !== "recorder")) this.options.met?.();
    for (const { party, presence } of parties) {
      if (presence !== "present") continue;
      const peer = this.peer(party);
      if (before.get(party) === "unknown") peer?.resume(false);
    }
    this.see();
  }

  /**
   * The connection to another party, made when it is first needed.
   * @param {string} party
   */
  peer(party) {
    const known = this.peers.get(party);
    const info = this.parties.find((one) => one.party === party);
    const mine = this.parties.find((one) => one.party === this.you);
    if (known || !info || !mine || party === this.you || info.role === "recorder") return known;
    const polite = mine.role === info.role ? this.you < party : mine.role !== "agent";
    const { media } = this.options;
    const send = (/** @type {object} */ message) => this.signaling.now(message);
    const check = () => this.signaling.check();
    const reachable = () => this.signaling.sure && this.present(party);
    const peer = new Peer({ party, polite, config: this.config, media, send, check, reachable });
    this.peers.set(party, peer);
    const tile = this.stage.tile(party);
    tile.onFirstFrame(() => (this.firstFrameMs ??= performance.now() - this.startedAt));
    peer.addEventListener("stream", (event) => {
      if (event instanceof CustomEvent) tile.setStream(event.detail);
    });
    peer.addEventListener("state", () => this.see());
    peer.addEventListener("cut", (event) => {
      if (event instanceof CustomEvent) this.recording.cutByPeer(event.detail);
    });
    peer.addEventListener("pause", (event) => {
      if (event instanceof CustomEvent) this.recording.pausedByPeer(party, event.detail);
    });
    return peer;
  }

  /** @param {string} party */
  present(party) {
    return this.parties.some((one) => one.party === party && one.presence === "present");
  }

  tellMedia() {
    if (this.signaling.up) this.signaling.send({ type: "media", ...this.options.media.state });
  }

  /** End the call: first nothing is sent any more, then it is said. */
  async leave() {
    if (this.over) return;
    this.quiet();
    await this.signaling.leave();
    this.finish("left");
  }

  /** The tab goes away: say nothing, but let the others notice at once. */
  hidden() {
    this.recording.end();
    this.signaling.stop();
  }

  quiet() {
    this.recording.end();
    for (const peer of this.peers.values()) peer.close();
    this.options.media.close();
  }

  /** @param {string} reason */
  finish(reason) {
    if (this.over) return;
    this.over = true;
    this.quiet();
    this.recording.leg.given.clear();
    this.signaling.stop();
    removeEventListener("pagehide", this.onHide);
    removeEventListener("online", this.onOnline);
    this.standing.end();
    this.options.media.removeEventListener("state", this.onState);
    this.options.media.removeEventListener("camera", this.onCamera);
    show(byId("call", HTMLElement), false);
    byId("sheets", HTMLElement).replaceChildren();
    this.options.ended(reason);
  }

  get callState() {
    if (this.over) return "ended";
    const [peer] = this.peers.values();
    return peer?.pc?.connectionState ?? "waiting";
  }
}
