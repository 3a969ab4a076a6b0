// Recording, as one party's page sees it: asking, answering, the status, stopping, withdrawing.
// The leg itself, and the lock in front of it, are in leg.js and lock.js.

/** @import {About, Ask, NoticeText, RecordingStatus, ToParty, Welcome} from "./types.js" */
/** @import {Media} from "./media.js" */
/** @import {Peer} from "./call.js" */
/** @import {Stage} from "./stage.js" */

import { ConsentDialog } from "./consent.js";
import { Leg } from "./leg.js";
import { Pausing } from "./pausing.js";
import { openRequestDialog } from "./request.js";
import { saveReceiptOr } from "./save.js";
import { Refusal, Signaling } from "./signaling.js";
import { Signer } from "./signer.js";
import { chime } from "./sound.js";
import { askFate } from "./withdraw.js";

/** Outcomes of a request that deserve a sentence; the others are seen by the status itself. */
const SAID = new Set(["refused", "expired", "no_common_purpose", "left", "withdrawn", "missed"]);

/**
 * @typedef {object} RecordingOptions
 * @property {Signaling} signaling
 * @property {Media} media
 * @property {About} about
 * @property {() => Peer[]} peers
 * @property {() => string} receiptPath where this party's receipts are asked for
 */

export class Recording {
  /** @param {RecordingOptions} options */
  constructor(options) {
    this.options = options;
    const { signaling, media } = options;
    this.signer = new Signer();
    this.leg = new Leg({
      media,
      send: (message) => signaling.send(message),
      silence: () => signaling.silence(),
      lost: () => signaling.drop(),
      call: () => options.peers()[0]?.pc ?? null,
      troubled: () => options.peers()[0]?.recovery.troubled ?? false,
    });
    this.pausing = new Pausing({
      signaling,
      leg: this.leg,
      peers: options.peers,
      show: (status) => this.show(status),
      refused: (error) => this.refused(error),
    });
    this.consent = new ConsentDialog({
      seconds: options.about.consent.answer_s,
      shown: (request, notice) => this.shown(request, notice),
      allow: (request, notice, purposes) => this.allow(request, notice, purposes),
      decline: (request) => this.decline(request),
      moreTime: (request) => signaling.send({ type: "consent.extend", request }),
      forged: () => this.stage?.setNote("consent.forged"),
    });
    /** @type {Stage | null} */
    this.stage = null;
    /** @type {RecordingStatus} */
    this.status = {
      state: "off", reason: "", request: null, recording: null, generation: 0, may_ask: true, paused: {},
    };
    /** @type {Ask | null} */
    this.ask = null;
    this.you = "";
    this.agent = false;
    this.others = 0;
    this.mayAsk = true;
    this.outcome = "";
    this.choosing = false;
    /** The event that this party's newest receipt is about, "" before there is one. */
    this.receipt = "";
  }

  get on() {
    return this.status.state === "on";
  }

  get paused() {
    return this.status.state === "paused";
  }

  /** @param {ToParty} message */
  heard(message) {
    switch (message.type) {
      case "welcome":
        this.welcomed(message);
        break;
      case "parties":
        this.setParties(message.parties);
        break;
      case "recording.asked":
        this.asked(message.ask);
        break;
      case "recording.ask_over":
        this.askOver(message.request, message.outcome);
        break;
      case "recording.state":
        this.setStatus(message.recording);
        break;
      case "recording.finished":
        if (message.certificate) this.stage?.setNote(message.state === "erased" ? "erased.whole" : "erased.part");
        break;
      case "recording.grant":
        this.leg.setGrant(message.grant);
        break;
      case "leg.offer":
        void this.leg.offered(message);
        if (this.leg.state === "refused:consent.missing" && this.on) {
          this.stage?.setNote("consent.elsewhere");
        }
        break;
      default:
        break;
    }
    this.options.signaling.attentive = this.leg.live;
  }

  /** @param {Welcome} welcome */
  welcomed(welcome) {
    this.you = this.leg.you = welcome.you;
    this.agent = welcome.parties.some(({ party, role }) => party === welcome.you && role === "agent");
    this.leg.session = welcome.session;
    this.signer.belongs(welcome.session, welcome.you);
    void this.enrol(welcome.challenge);
    // The server may say that a consent is over, never that there is one.
    this.leg.given.only([welcome.given, welcome.ask?.request]);
    this.setParties(welcome.parties);
    this.setStatus(welcome.recording);
    if (welcome.grant) this.leg.comeBack(welcome.grant);
    if (welcome.ask) this.asked(welcome.ask);
    else if (this.ask) this.askOver(this.ask.request, welcome.given === this.ask.request ? "given" : "missed");
    else this.consent.close();
    if (welcome.fate_due) {
      void this.chooseFate(welcome.fate_due, Promise.resolve({}), welcome.fate_ms / 1000);
    }
  }

  /** @param {import("./types.js").PartyInfo[]} parties */
  setParties(parties) {
    this.leg.setParties(parties);
    this.others = parties.filter(({ party, role }) => party !== this.you && role !== "recorder").length;
    this.draw();
  }

  /** @param {Ask} ask */
  asked(ask) {
    this.ask = ask;
    this.outcome = "";
    const mine = ask.answers[this.you];
    if (mine === "pending") void this.consent.update(ask);
    else this.consent.close();
    this.stage?.setNote(mine === "given" ? "consent.waiting" : "");
    this.draw();
  }

  /**
   * @param {string} request
   * @param {string} outcome
   */
  askOver(request, outcome) {
    if (this.ask && this.ask.request !== request) return;
    this.ask = null;
    this.consent.close();
    this.stage?.setNote("");
    if (outcome !== "given") this.leg.stop(request, outcome);
    if (SAID.has(outcome)) this.outcome = outcome;
    this.draw();
  }

  /** @param {RecordingStatus} status as the server says it */
  setStatus(status) {
    this.show(this.pausing.seen(status, this.you));
  }

  /** @param {RecordingStatus} status */
  show(status) {
    const before = this.on;
    this.status = status;
    this.mayAsk = status.may_ask;
    this.leg.setStatus(status);
    if (this.on) {
      this.outcome = "";
      this.stage?.setNote("");
    } else if (this.paused) this.outcome = "";
    else if (status.reason) this.outcome = status.reason;
    if (before !== this.on) chime(this.on);
    this.draw();
  }

  /** The server is gone: nothing of ours is recorded, and what else is so cannot be known. */
  lost() {
    this.leg.cut("silence");
    if (this.status.state !== "off") this.show({ ...this.status, state: "off", reason: "signaling_lost" });
  }

  draw() {
    const { request, state, paused } = this.status;
    const held = request !== null && this.leg.given.has(request) && (!this.ask || this.paused);
    const live = this.on || held;
    const mine = this.you in paused;
    this.stage?.setRecording(state, this.outcome, Object.keys(paused));
    this.stage?.setButtons({
      request: this.mayAsk && this.others > 0 && !live && !this.ask,
      // Who has not paused it has nothing to resume, and is told whose the pause is.
      pause: !this.paused && live ? "pause" : this.paused && mine ? "resume" : "",
      stop: live,
      withdraw: live && !this.choosing,
    });
  }

  /**
   * Tell the server which key this page signs with. Without one, allowing will be refused.
   * @param {string} challenge
   */
  async enrol(challenge) {
    try {
      const enrolment = await this.signer.enrolment(challenge);
      await this.options.signaling.change({ type: "key.enrol", ...enrolment });
    } catch (error) {
      console.error("the key is not enrolled", error);
    }
  }

  /** Pause, or end one's own pause. Waits for nothing: the next click must not be lost. */
  togglePause() {
    const { status, you } = this;
    if (this.paused) void this.pausing.resume(status, you);
    else this.pausing.pause(status, you);
  }

  /**
   * @param {string} party
   * @param {{request: string, generation: number}} paused
   */
  pausedByPeer(party, paused) {
    this.pausing.byPeer(this.status, party, paused);
  }

  openRequest() {
    openRequestDialog(this.options.about, (purposes) =>
      this.change({ type: "recording.request", purposes }),
    );
  }

  /**
   * @param {string} request
   * @param {NoticeText} notice
   */
  shown(request, { sha256, language }) {
    this.options.signaling.send({ type: "consent.shown", request, notice: sha256, language });
  }

  /**
   * @param {string} request
   * @param {NoticeText} notice
   * @param {string[]} purposes
   */
  async allow(request, notice, purposes) {
    this.stage?.setNote("consent.waiting");
    const { sha256, language } = notice;
    /** @type {Record<string, string> | null} */
    let given = null;
    try {
      const { signed, consent } = await this.signer.consent(request, notice, purposes);
      // The one place where this page learns that its own party agrees.
      this.leg.allow(request, consent);
      const said = { request, notice: sha256, language, purposes, signed };
      given = await this.changed({ type: "consent.give", ...said });
      if (given) this.offerReceipt(given);
    } catch (error) {
      this.refused(error);
    }
    if (!given) {
      this.leg.stop(request, "refused");
      this.draw();
    }
  }

  /** @param {string} request */
  async decline(request) {
    const signed = await this.signer.signIfPossible({ action: "refuse", request });
    const refused = await this.changed({ type: "consent.refuse", request, signed });
    if (refused) this.offerReceipt(refused);
  }

  /** End the recording; consent stays, and so does what was recorded. */
  async stop() {
    const { request } = this.status;
    if (!request) return;
    this.cut(request, "stopped");
    await this.change({ type: "recording.stop", request });
  }

  /** Stop at once, tell the other browser, tell the server; only then ask what to keep. */
  async withdraw() {
    const { request } = this.status;
    if (!request) return;
    this.cut(request, "withdrawn");
    await this.chooseFate(request, this.sayWithdrawn(request));
  }

  /**
   * Signed if that can be done at once: withdrawing waits for nothing.
   * @param {string} request
   */
  async sayWithdrawn(request) {
    // Until this is on record, the button would save the receipt of the word that is taken back.
    this.offerReceipt({});
    const signed = await this.signer.signIfPossible({ action: "withdraw", request });
    const recorded = await this.options.signaling.change({ type: "consent.withdraw", request, signed });
    this.offerReceipt(recorded);
    return recorded;
  }

  /** @param {Record<string, string>} result of a word of ours that is on record now */
  offerReceipt({ event = "" }) {
    this.receipt = event;
    this.stage?.offerReceipt(event !== "");
  }

  saveReceipt() {
    const failed = (/** @type {string} */ code) => this.stage?.setNote(`error.${code}`);
    return saveReceiptOr(this.options.receiptPath(), this.receipt, failed);
  }

  /**
   * @param {string} request
   * @param {string} why
   */
  cut(request, why) {
    this.leg.stop(request, why);
    for (const peer of this.options.peers()) peer.cut(request);
    // What the eye sees must not wait for the server either.
    this.show({ ...this.status, state: "off", reason: why, request: null, paused: {} });
  }

  /**
   * The other party's browser says that it has withdrawn, or stopped.
   * @param {string} request
   */
  cutByPeer(request) {
    if (this.status.request !== request && this.leg.grant?.request !== request) return;
    this.leg.stop(request, "peer");
    this.show({ ...this.status, state: "off", reason: "cut_by_peer", request: null, paused: {} });
  }

  /**
   * @param {string} request
   * @param {Promise<Record<string, string>>} recorded when the withdrawal is on record
   * @param {number} [seconds] how long there is left to choose
   */
  async chooseFate(request, recorded, seconds = this.options.about.consent.fate_s) {
    if (this.choosing) return;
    this.choosing = true;
    const answer = recorded.catch((error) => (this.refused(error), null));
    const fate = await askFate(seconds, this.agent);
    // What is said to have become of it is what the server has on record, not what was pressed.
    let said = await answer;
    if (said && fate) said = await this.changed({ type: "consent.fate", request, fate });
    if (said) this.stage?.setNote(`withdraw.done_${fate === "keep" ? "keep" : said["held"] ? "held" : "destroy"}`);
    this.choosing = false;
    this.draw();
  }

  /**
   * Say something that must arrive: what came of it; null, and a sentence, when it was refused.
   * @param {import("./signaling.js").Said} message
   */
  async change(message) {
    return (await this.changed(message)) !== null;
  }

  /**
   * As change; what the server answered, or null.
   * @param {import("./signaling.js").Said} message
   */
  async changed(message) {
    try {
      return await this.options.signaling.change(message);
    } catch (error) {
      this.refused(error);
      return null;
    }
  }

  /** @param {unknown} error */
  refused(error) {
    const code = error instanceof Refusal ? error.code : "other";
    if (code !== "session.over") this.stage?.setNote(`error.${code}`);
  }

  end() {
    this.consent.close();
    this.leg.end();
  }
}
