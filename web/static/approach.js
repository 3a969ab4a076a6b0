// The way to a connection: tried again and again, never for long, with company when one is slow.
//
// A page that was welcomed before comes back over a new WebSocket alone. Only the first time, or
// when what it comes back with is worth nothing any more, it needs a ticket, by HTTP: that may wait
// for connections that the browser keeps and that a dead network has swallowed.

/** @import {Ticket} from "./types.js" */

import { ApiError } from "./api.js";

/** From one try that failed to the next, spread: not everyone comes back in the same instant. */
const BACKOFF_MS = [300, 700, 1_200, 2_000];
/** A try that has no answer for so long is given company, or is given up for another; */
const BESIDE_MS = 2_000;
/** with each failure after so many, it has longer: a server to which everybody comes back is slow. */
const SOON = 20;
const LONGER_MS = 200;
const LONGEST_MS = 4_000;
const MOST_TICKETS = 3;
/** Not more often, whatever changes. */
const HURRY_APART_MS = 500;
/** Answers after which no ticket will ever come: the seat or the session is gone. */
const FINAL = [401, 403, 404, 409, 410];

/**
 * @typedef {object} ApproachOptions
 * @property {(signal: AbortSignal) => Promise<Ticket>} ticket fetches a fresh single-use ticket
 * @property {() => boolean} wanted whether a connection is still needed
 * @property {(socket: WebSocket, ticket: string) => void} arrived connected, nothing said yet; the
 *   ticket is "" when the page comes back by what its last welcome gave it
 * @property {() => void} failed a try has failed
 * @property {(code: string) => void} final no try will ever succeed
 */

export class Approach {
  /** @param {ApproachOptions} options */
  constructor(options) {
    this.options = options;
    this.over = false;
    this.failures = 0;
    this.triedAt = Number.NEGATIVE_INFINITY;
    /** @type {Set<AbortController>} tickets that are on their way */
    this.tickets = new Set();
    /** @type {WebSocket | null} about to be connected */
    this.coming = null;
    /** @type {{url: string, subprotocol: string} | null} the way that the last ticket led */
    this.way = null;
    this.known = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Try now. */
  async begin() {
    if (this.over) return;
    this.triedAt = performance.now();
    const longer = LONGER_MS * Math.max(0, this.failures - SOON);
    this.next(Math.min(BESIDE_MS + longer, LONGEST_MS));
    if (this.known && this.way) this.open("", this.way);
    else await this.byTicket();
  }

  async byTicket() {
    const mine = new AbortController();
    const [oldest] = this.tickets;
    if (oldest && this.tickets.size >= MOST_TICKETS) this.giveUp(oldest);
    this.tickets.add(mine);
    try {
      const { ticket, url, subprotocol } = await this.options.ticket(mine.signal);
      if (!this.tickets.delete(mine) || this.over) return;
      for (const other of this.tickets) this.giveUp(other);
      this.way = { url, subprotocol };
      if (this.options.wanted()) this.open(ticket, this.way);
      else clearTimeout(this.timer);
    } catch (error) {
      if (!this.tickets.delete(mine) || this.over) return;
      if (error instanceof ApiError && FINAL.includes(error.status)) this.options.final(error.code);
      else this.options.failed();
    }
  }

  /** @param {AbortController} one */
  giveUp(one) {
    this.tickets.delete(one);
    one.abort();
  }

  /**
   * @param {string} ticket
   * @param {{url: string, subprotocol: string}} way
   */
  open(ticket, { url, subprotocol }) {
    this.coming?.close();
    const socket = new WebSocket(url, [subprotocol]);
    this.coming = socket;
    socket.onopen = () => {
      if (this.coming !== socket) return;
      this.coming = null;
      clearTimeout(this.timer);
      // The old connection was heard again meanwhile: then it is as good.
      if (this.options.wanted()) this.options.arrived(socket, ticket);
      else socket.close();
    };
    socket.onclose = () => {
      if (this.coming !== socket) return;
      this.coming = null;
      this.options.failed();
    };
  }

  /** Try again, later with each failure. */
  again() {
    const wait = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)] ?? 2_000;
    this.failures += 1;
    this.next(wait);
  }

  /** @param {number} wait */
  next(wait) {
    clearTimeout(this.timer);
    if (this.over) return;
    this.timer = setTimeout(() => {
      if (this.options.wanted()) void this.begin();
    }, wait * (0.75 + 0.5 * Math.random()));
  }

  /**
   * Something has changed: what is on its way may be stuck, and what failed may succeed. True when
   * the next try is to be made now; otherwise it is made soon.
   */
  hurry() {
    this.failures = 0;
    if (performance.now() - this.triedAt < HURRY_APART_MS) {
      this.next(HURRY_APART_MS);
      return false;
    }
    this.leave();
    return true;
  }

  /** Welcomed: the way back is known. */
  welcomed() {
    this.failures = 0;
    this.known = true;
    clearTimeout(this.timer);
  }

  /** Refused by what the last welcome gave: by a ticket, then, and at once. False when it was one. */
  refused() {
    const again = this.known;
    this.known = false;
    if (again) this.next(0);
    return again;
  }

  leave() {
    clearTimeout(this.timer);
    for (const one of this.tickets) this.giveUp(one);
    this.coming?.close();
    this.coming = null;
  }

  /** No more tries. */
  stop() {
    this.over = true;
    this.leave();
  }
}
