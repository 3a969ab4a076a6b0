// What a call looks like: pictures, who is there, whether it is recorded, and the buttons.
// It shows what it is told and knows no connection.

/** @import {Media} from "./media.js" */
/** @import {PartyInfo} from "./types.js" */

import { deviceTools, shareTool, tool } from "./controls.js";
import { byId, button, el, icon, show } from "./dom.js";
import { list, onLanguage, sentence, t } from "./i18n.js";
import { Tile } from "./tile.js";

/**
 * @typedef {object} Actions
 * @property {() => unknown} end
 * @property {() => unknown} pause pauses, or ends one's own pause
 * @property {() => unknown} stop
 * @property {() => unknown} withdraw
 * @property {() => unknown} receipt
 * @property {(() => unknown) | null} request only for who may ask
 */

export class Stage {
  /**
   * @param {Media} media
   * @param {Actions} actions
   */
  constructor(media, actions) {
    this.media = media;
    this.own = new Tile(true);
    /** @type {Map<string, Tile>} */
    this.tiles = new Map();
    /** @type {PartyInfo[]} */
    this.parties = [];
    this.you = "";
    /** @type {{state: string, reason: string, pausers: readonly string[]}} */
    this.recording = { state: "off", reason: "", pausers: [] };
    this.noteKey = "";
    this.status = el("span", { role: "status" });
    this.light = el("div", { class: "light" }, el("span", { class: "dot", "aria-hidden": "true" }), this.status);
    this.reason = el("p", { class: "reason", "aria-live": "polite" });
    this.people = el("ul", { class: "people" });
    this.remote = el("div", { class: "remote" });
    /** Over the pictures: when it comes and goes nothing moves. */
    this.standing = el("p", { class: "standing", role: "status" });
    this.standingKey = "";
    this.waiting = el("p", { class: "waiting" });
    this.request = button("", actions.request ?? (() => undefined), { "data-t": "recording.request" });
    this.pause = button("", actions.pause, { "data-t": "recording.pause" });
    this.stop = button("", actions.stop, { "data-t": "recording.stop" });
    this.withdraw = button("", actions.withdraw, { "data-t": "recording.withdraw", class: "strong" });
    this.receipt = button("", actions.receipt, { "data-t": "receipt.save", hidden: true });
    this.mayRequest = actions.request !== null;
    const end = tool("call.end", "end", actions.end);
    end.classList.add("end");
    byId("call", HTMLElement).replaceChildren(
      el("h1", { class: "quiet", "data-t": "call.region" }, t("call.region")),
      el("header", { class: "call-top" }, this.light, this.people),
      this.reason,
      el("div", { class: "pictures" }, this.remote, this.waiting, this.own.element, this.standing),
      // Before the buttons, so that Tab leads from a dialog straight to mute and end.
      byId("sheets", HTMLElement),
      el(
        "div",
        { class: "recording-tools" },
        this.request,
        this.pause,
        this.stop,
        this.withdraw,
        this.receipt,
      ),
      el("div", { class: "tools" }, ...deviceTools(media), shareTool(media), end),
    );
    media.addEventListener("state", () => this.drawOwn());
    media.addEventListener("tracks", () => this.drawOwn());
    onLanguage(() => this.draw());
    this.setButtons({ request: false, pause: "", stop: false, withdraw: false });
  }

  get recordingButtons() {
    return [this.request, this.pause, this.stop, this.withdraw, this.receipt];
  }

  draw() {
    for (const one of this.recordingButtons) one.textContent = t(one.dataset["t"] ?? "");
    this.drawRecording();
    this.drawPeople();
    this.drawOwn();
    this.drawStanding();
  }

  /**
   * What there is to say of the connections, by its key; "" when they are as they should be.
   * @param {string} key
   */
  setStanding(key) {
    this.standingKey = key;
    this.drawStanding();
  }

  drawStanding() {
    const text = this.standingKey ? t(this.standingKey) : "";
    if (this.standing.textContent !== text) this.standing.textContent = text;
  }

  drawOwn() {
    const { video } = this.media;
    const shown = this.own.video.srcObject;
    const same = shown instanceof MediaStream && shown.getVideoTracks()[0] === video;
    if (!same) this.own.setStream(video ? new MediaStream([video]) : null);
    this.own.element.classList.toggle("screen", this.media.screen !== null);
    const mine = this.parties.find(({ party }) => party === this.you);
    this.own.describe(mine?.name ?? t("call.you"), this.media.state);
  }

  /**
   * @param {string} you
   * @param {PartyInfo[]} parties
   */
  setParties(you, parties) {
    this.you = you;
    this.parties = parties;
    for (const [party, tile] of this.tiles) {
      if (parties.some((one) => one.party === party)) continue;
      tile.element.remove();
      this.tiles.delete(party);
    }
    this.drawPeople();
    this.drawOwn();
  }

  drawPeople() {
    const others = this.parties.filter(({ party, role }) => party !== this.you && role !== "recorder");
    this.people.setAttribute("aria-label", t("call.people"));
    this.people.replaceChildren(...this.parties.map((one) => this.person(one)));
    this.waiting.textContent = others.length ? "" : t("call.waiting");
    show(this.waiting, others.length === 0);
    document.body.classList.toggle("alone", others.length === 0);
    for (const one of others) {
      const note = one.presence === "present" ? "" : t("call.reconnecting");
      this.tiles.get(one.party)?.describe(one.name, one, note);
    }
  }

  /** @param {PartyInfo} one */
  person(one) {
    if (one.role === "recorder") return el("li", { class: "recorder" }, t("call.recorder"));
    const name = one.party === this.you ? t("call.you") : one.name;
    const role = sentence("role", one.role);
    const muted = one.microphone ? [] : [icon("muted"), el("span", { class: "quiet" }, t("call.muted"))];
    return el("li", {}, `${name} (${role})`, ...muted);
  }

  /**
   * The tile of another party, made when it is first needed.
   * @param {string} party
   */
  tile(party) {
    let tile = this.tiles.get(party);
    if (!tile) {
      tile = new Tile(false);
      this.tiles.set(party, tile);
      this.remote.append(tile.element);
      this.drawPeople();
    }
    return tile;
  }

  /**
   * @param {string} state on, paused or off
   * @param {string} reason why it is off: a code, or "" when there is nothing to say
   * @param {readonly string[]} pausers the parties that have paused it
   */
  setRecording(state, reason, pausers) {
    this.recording = { state, reason, pausers };
    this.drawRecording();
  }

  /**
   * Something worth a sentence beside the status, by its key; "" takes it away.
   * @param {string} key
   */
  setNote(key) {
    this.noteKey = key;
    this.drawRecording();
  }

  drawRecording() {
    const { state, reason } = this.recording;
    const [on, paused] = [state === "on", state === "paused"];
    const text = t(on ? "recording.on" : paused ? "recording.paused" : "recording.off");
    // Written only when it changes: a live region is read out at every writing.
    if (this.status.textContent !== text) this.status.textContent = text;
    this.light.classList.toggle("on", on);
    this.light.classList.toggle("paused", paused);
    // Whoever has just withdrawn is told what becomes of it, not also that somebody has withdrawn.
    const told = reason === "withdrawn" && this.noteKey.startsWith("withdraw.");
    const why = told ? "" : paused ? this.whoPaused() : !on && reason ? sentence("reason", reason) : "";
    const note = [this.noteKey ? sentenceOf(this.noteKey) : "", why].filter(Boolean).join(" ");
    if (this.reason.textContent !== note) this.reason.textContent = note;
  }

  /** @param {boolean} there whether there is a receipt of the latest word to be saved */
  offerReceipt(there) {
    show(this.receipt, there);
  }

  /** Whose the pause is, and what can be done about it. */
  whoPaused() {
    const { pausers } = this.recording;
    const others = pausers.filter((party) => party !== this.you);
    const mine = others.length < pausers.length;
    if (others.length === 0) return mine ? t("paused.you") : "";
    const names = others.map((one) => this.parties.find(({ party }) => party === one)?.name ?? t("paused.gone"));
    return t(mine ? "paused.both" : "paused.other", { name: list(names) });
  }

  /** @param {{request: boolean, pause: "pause" | "resume" | "", stop: boolean, withdraw: boolean}} can */
  setButtons(can) {
    const focused = this.recordingButtons.find((one) => one === document.activeElement);
    this.pause.dataset["t"] = can.pause === "resume" ? "recording.resume" : "recording.pause";
    show(this.pause, can.pause !== "");
    show(this.request, this.mayRequest && !can.stop && !can.withdraw);
    this.request.disabled = !can.request;
    show(this.stop, can.stop);
    show(this.withdraw, can.withdraw);
    // Back into the call, and to no other button: the key that is still held must press nothing.
    if (focused?.hidden) byId("call", HTMLElement).focus({ preventScroll: true });
    this.draw();
  }
}

/**
 * The sentence of a key such as `error.unavailable`, or the group's general one.
 * @param {string} key
 */
function sentenceOf(key) {
  const dot = key.indexOf(".");
  return sentence(key.slice(0, dot), key.slice(dot + 1));
}
