// The connection to the server: one socket at a time, a new ticket for each, back by itself.
//
// Three ways to speak. `now` is for what somebody else says again (what pages say to each other is
// numbered, see relayed.js). `send` waits for the next connection if there is none. `change` is for
// what must arrive: it carries an idempotency key and is said again after every reconnect until the
// server has acknowledged or refused it.

/** @import {Ticket, ToParty} from "./types.js" */

import { Approach } from "./approach.js";
import { randomKey } from "./dom.js";
import { LOOK_MS, Pulse } from "./pulse.js";

/** From its opening a connection has so long until its welcome; longer when that was too short. */
const WELCOME_MS = 4_000;
const LONGEST_MS = 12_000;
const MAX_WAITING = 200;
/** When something has changed for the network or for this page. */
const WHEN = /** @type {const} */ ([
  [window, "online"],
  [window, "offline"],
  [document, "visibilitychange"],
  [document, "resume"],
]);
/** Closed with one of these, the server does not want this page back. */
const FINAL_CODES = new Map([
  [1000, "over"],
  [4001, "replaced"],
]);

/** Closed with this before the welcome, a page was not let in. */
const REFUSED_CODE = 1008;

/** Changes that end or interrupt recording. Until the server has them it must not record. */
const CLOSING = new Set(["recording.pause", "recording.stop", "consent.withdraw"]);
const MAX_UNSAID = 16;

/** Refused only for now, every kind of unavailable among them: the same change, with the same key,
 * is said again. The server waits for it. */
const RETRY_CODES = new Set([
  "error",
  "too_many",
  "unavailable",
  "database.unavailable",
  "storage.full",
  "recorder.stopping",
  "server.stopping",
  "log.signer",
  "custody.unavailable",
  "log.broken",
  "log.shrunk",
  "log.forked",
  "log.anchor_missing",
  "log.anchor_invalid",
]);
const RETRY_MS = 2_000;
/** On leaving, changes that are not yet acknowledged have so long. */
const LEAVE_MS = 2_000;

/** A change that the server refused. */
export class Refusal extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** @typedef {{type: string, [field: string]: unknown}} Said */

/**
 * @typedef {object} Change
 * @property {Said} message
 * @property {(result: Record<string, string>) => void} resolve
 * @property {(error: Error) => void} reject
 */

/**
 * Dispatches `message` (CustomEvent, a ToParty), `up`, `down`, and `over` (its detail says why).
 */
export class Signaling extends EventTarget {
  /**
   * @param {(signal: AbortSignal) => Promise<Ticket>} ticket fetches a fresh single-use ticket
   * @param {string} build what page this is
   */
  constructor(ticket, build) {
    super();
    this.build = build;
    this.up = false;
    this.over = false;
    this.lastHeard = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** Whether `up` was the last that was told. */
    this.told = false;
    /** What shows the server that the seat is this page's: the last welcome's. */
    this.resume = "";
    /** @type {object[]} */
    this.waiting = [];
    /** @type {Map<string, Change>} */
    this.changes = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.late = undefined;
    this.pulse = new Pulse({
      ask: () => this.write({ type: "ping" }),
      doubt: () => void this.approach.begin(),
      dead: () => this.drop(),
    });
    this.approach = new Approach({
      ticket,
      wanted: () => this.socket === null || this.pulse.doubted,
      arrived: (socket, what) => this.enter(socket, what),
      failed: () => this.failed(),
      final: (code) => this.finish(code),
    });
    this.watch = setInterval(() => this.pulse.look(performance.now(), Date.now()), LOOK_MS);
    this.hurry = () => this.hurried();
    for (const [where, when] of WHEN) where.addEventListener(when, this.hurry);
  }

  /** Whether to listen more closely, because a leg depends on it. */
  set attentive(/** @type {boolean} */ closely) {
    this.pulse.closely = closely;
  }

  /** Whether what is said now is heard, as far as anybody knows: connected, and no doubt about it. */
  get sure() {
    return this.up && !this.pulse.woken;
  }

  /** Connect, and stay connected until `stop` or the server's last word. */
  async start() {
    await this.approach.begin();
  }

  /**
   * @param {WebSocket} socket just connected
   * @param {string} ticket
   */
  enter(socket, ticket) {
    this.leaveSocket();
    this.socket = socket;
    socket.onmessage = (event) => this.socket === socket && this.heard(event.data);
    socket.onclose = (event) => this.socket === socket && this.closed(event.code);
    this.lastHeard = performance.now();
    clearTimeout(this.late);
    const patience = Math.min(WELCOME_MS * (this.approach.failures + 1), LONGEST_MS);
    this.late = setTimeout(() => this.socket === socket && this.drop(), patience);
    const build = this.build.slice(0, 64);
    const resume = this.resume || null;
    socket.send(JSON.stringify({ type: "hello", ticket, build, unsaid: this.unsaid(), resume }));
  }

  /** @param {string} text */
  heard(text) {
    this.lastHeard = performance.now();
    /** @type {ToParty} */
    const message = JSON.parse(text);
    this.pulse.heard(message.type === "pong");
    if (message.type === "welcome") this.welcomed(message.resume);
    else if (message.type === "ack") this.settle(message.key)?.resolve(message.result);
    else if (message.type === "error" && message.key) this.refused(message.key, message);
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    if (message.type === "session.ended") this.finish(message.reason);
  }

  /** @param {string} resume */
  welcomed(resume) {
    this.up = this.told = true;
    this.resume = resume;
    this.approach.welcomed();
    clearTimeout(this.late);
    this.pulse.begin(performance.now(), Date.now());
    this.dispatchEvent(new Event("up"));
    // Changes first: a withdrawal must not queue behind candidates.
    for (const change of this.changes.values()) this.write(change.message);
    for (const message of this.waiting.splice(0)) this.write(message);
  }

  /**
   * @param {string} key
   * @param {{code: string, message: string}} error
   */
  refused(key, { code, message }) {
    const change = this.changes.get(key);
    if (change && RETRY_CODES.has(code)) {
      setTimeout(() => this.up && this.changes.has(key) && this.write(change.message), RETRY_MS);
      return;
    }
    this.settle(key)?.reject(new Refusal(code, message));
  }

  /** @param {string} key */
  settle(key) {
    const change = this.changes.get(key);
    this.changes.delete(key);
    return change;
  }

  /** The keys of what closes and is not acknowledged: after the welcome it is said again. */
  unsaid() {
    const closing = [...this.changes].filter(([, { message }]) => CLOSING.has(message.type));
    return closing.slice(-MAX_UNSAID).map(([key]) => key);
  }

  /**
   * Say something if it can be said now.
   * @param {object} message
   */
  now(message) {
    if (this.up) this.write(message);
  }

  /**
   * Say something that the next connection will do for as well, if there is none.
   * @param {object} message
   */
  send(message) {
    if (this.over) return;
    if (this.up) this.write(message);
    else if (this.waiting.length < MAX_WAITING) this.waiting.push(message);
  }

  /**
   * Say something that must arrive. Resolves with the acknowledgement's result; rejects with the
   * server's Refusal, or when the session is over first.
   * @param {Said} message
   * @returns {Promise<Record<string, string>>}
   */
  change(message) {
    const key = randomKey();
    const keyed = { ...message, key };
    return new Promise((resolve, reject) => {
      if (this.over) {
        reject(new Refusal("session.over", "The session is over."));
        return;
      }
      this.changes.set(key, { message: keyed, resolve, reject });
      if (this.up) this.write(keyed);
    });
  }

  /** @param {object} message */
  write(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Milliseconds without a word from the server. */
  silence() {
    return performance.now() - this.lastHeard;
  }

  /** Give this socket up without waiting for a closing handshake that may never come. */
  drop() {
    if (this.socket) this.closed(1006);
  }

  /** No new connection: then the old one, if it was in doubt, is gone. */
  failed() {
    if (!this.socket) this.approach.again();
    else if (this.pulse.doubted) this.drop();
  }

  /** Nothing that the socket still says is heard. */
  leaveSocket() {
    const socket = this.socket;
    this.socket = null;
    this.up = false;
    this.pulse.stop();
    socket?.close();
  }

  /** @param {number} code */
  closed(code) {
    const reason = FINAL_CODES.get(code);
    // Told `replaced` in place of a welcome, too: another page has the seat.
    if (reason && (this.up || reason === "replaced")) {
      this.up = false;
      this.finish(reason);
      return;
    }
    const refused = code === REFUSED_CODE && !this.up;
    this.leaveSocket();
    if (this.told) {
      this.told = false;
      this.dispatchEvent(new Event("down"));
    }
    if (!refused || !this.approach.refused()) this.approach.again();
  }

  /** Ask the server now: the next question would come too late. */
  check() {
    this.pulse.suspect(performance.now());
  }

  /** Something has changed, for the better perhaps: do not wait for the next try, or the next ping. */
  hurried() {
    if (this.over) return;
    if (this.up) this.check();
    else if (this.approach.hurry()) {
      if (this.socket) this.drop();
      else void this.start();
    }
  }

  /** @param {string} reason */
  finish(reason) {
    if (this.over) return;
    this.stop();
    this.dispatchEvent(new CustomEvent("over", { detail: reason }));
  }

  /** Leave the call: what must arrive goes first, but nobody is kept waiting for long. */
  async leave() {
    const until = performance.now() + LEAVE_MS;
    while (this.up && this.changes.size > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (this.up) this.write({ type: "leave" });
    this.stop();
  }

  /** Stop for good: what is already written still goes out. */
  stop() {
    if (this.over) return;
    this.over = true;
    this.up = false;
    this.approach.stop();
    clearTimeout(this.late);
    clearInterval(this.watch);
    for (const [where, when] of WHEN) where.removeEventListener(when, this.hurry);
    this.socket?.close(1000);
    this.socket = null;
    for (const { reject } of this.changes.values()) {
      reject(new Refusal("session.over", "The session is over."));
    }
    this.changes.clear();
  }
}
