// The connection to the server: one socket at a time, a new ticket for each, back by itself.
//
// Two ways to speak. `send` is for what is worth something only now (descriptions, candidates,
// pings). `change` is for what must arrive: it carries an idempotency key and is said again after
// every reconnect until the server has acknowledged or refused it.

/** @import {Ticket, ToParty} from "./types.js" */

import { ApiError } from "./api.js";
import { randomKey } from "./dom.js";

const PING_MS = 5_000;
const PING_WITH_LEG_MS = 2_000;
/** Nothing heard for so long: the socket is dead, whatever it says. */
const SILENT_MS = 12_000;
const BACKOFF_MS = [500, 1_000, 2_000, 3_500, 5_000];
const MAX_WAITING = 200;
/** Closed with one of these, the server does not want this page back. */
const FINAL_CODES = new Map([
  [1000, "over"],
  [4001, "replaced"],
]);

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
   * @param {() => Promise<Ticket>} ticket fetches a fresh single-use ticket
   * @param {string} build what page this is
   */
  constructor(ticket, build) {
    super();
    this.ticket = ticket;
    this.build = build;
    this.up = false;
    this.over = false;
    /** Whether to listen more closely, because a leg depends on it. */
    this.attentive = false;
    this.lastHeard = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.attempts = 0;
    /** @type {object[]} */
    this.waiting = [];
    /** @type {Map<string, Change>} */
    this.changes = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
    this.lastPing = 0;
    this.watch = setInterval(() => this.tick(), 500);
    this.online = () => this.hurry();
    addEventListener("online", this.online);
  }

  /** Connect, and stay connected until `stop` or the server's last word. */
  async start() {
    if (this.over) return;
    let ticket;
    try {
      ticket = await this.ticket();
    } catch (error) {
      // The seat or the session is gone: no ticket will ever come again.
      if (error instanceof ApiError && [401, 403, 404, 409, 410].includes(error.status)) {
        this.finish(error.code);
      } else this.again();
      return;
    }
    if (this.over) return;
    this.open(ticket);
  }

  /** @param {Ticket} ticket */
  open({ ticket, url, subprotocol }) {
    const socket = new WebSocket(url, [subprotocol]);
    this.socket = socket;
    socket.onopen = () => {
      this.lastHeard = performance.now();
      const build = this.build.slice(0, 64);
      socket.send(JSON.stringify({ type: "hello", ticket, build, unsaid: this.unsaid() }));
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.heard(event.data);
    };
    socket.onclose = (event) => {
      if (this.socket === socket) this.closed(event.code);
    };
  }

  /** @param {string} text */
  heard(text) {
    this.lastHeard = performance.now();
    /** @type {ToParty} */
    const message = JSON.parse(text);
    if (message.type === "welcome") this.welcomed();
    else if (message.type === "ack") this.settle(message.key)?.resolve(message.result);
    else if (message.type === "error" && message.key) this.refused(message.key, message);
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    if (message.type === "session.ended") this.finish(message.reason);
  }

  welcomed() {
    this.up = true;
    this.attempts = 0;
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
   * Say something that is worth saying only now; while the socket is down it waits for the next.
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

  tick() {
    const now = performance.now();
    const every = this.attentive ? PING_WITH_LEG_MS : PING_MS;
    if (this.up && now - this.lastPing >= every) {
      this.lastPing = now;
      this.write({ type: "ping" });
    }
    if (this.up && this.silence() > SILENT_MS) this.drop();
  }

  /** Give this socket up without waiting for a closing handshake that may never come. */
  drop() {
    const socket = this.socket;
    if (!socket) return;
    this.closed(1006);
    socket.close();
  }

  /** @param {number} code */
  closed(code) {
    const wasUp = this.up;
    this.up = false;
    this.socket = null;
    const reason = FINAL_CODES.get(code);
    if (reason && wasUp) {
      this.finish(reason);
      return;
    }
    if (wasUp) this.dispatchEvent(new Event("down"));
    this.again();
  }

  again() {
    if (this.over) return;
    const wait = BACKOFF_MS[Math.min(this.attempts, BACKOFF_MS.length - 1)] ?? 5_000;
    this.attempts += 1;
    clearTimeout(this.retry);
    // Some spread: after a restart of the server not everyone comes back in the same instant.
    this.retry = setTimeout(() => void this.start(), wait * (0.8 + 0.4 * Math.random()));
  }

  /** The network is back: do not wait for the backoff. */
  hurry() {
    if (this.over || this.socket) return;
    clearTimeout(this.retry);
    void this.start();
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
    clearTimeout(this.retry);
    clearInterval(this.watch);
    removeEventListener("online", this.online);
    this.socket?.close(1000);
    this.socket = null;
    for (const { reject } of this.changes.values()) {
      reject(new Refusal("session.over", "The session is over."));
    }
    this.changes.clear();
  }
}
