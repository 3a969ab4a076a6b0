// The HTTP API: JSON in and out, errors by their stable code.

import { BASE } from "./base.js";

/** What the server refused, and why. */
export class ApiError extends Error {
  /**
   * @param {number} status 0: the server could not be reached
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** How far the server's clock is ahead of ours, by the Date header of its answers. */
let ahead = 0;

/** Milliseconds since the Unix epoch on the server's clock, to about a second. */
export function serverNow() {
  return Date.now() + ahead;
}

/**
 * @param {string} path
 * @returns {Promise<any>}
 */
export function get(path) {
  return call(path, { method: "GET" });
}

/**
 * @param {string} path
 * @param {object} [body]
 * @param {AbortSignal | null} [signal] ends it early: then it counts as unreachable
 * @returns {Promise<any>}
 */
export function post(path, body = {}, signal = null) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Avsession": "1" },
    body: JSON.stringify(body),
    signal,
  });
}

/**
 * Said as the page goes away: the browser sends it all the same, and nobody waits for an answer.
 * @param {string} path
 * @param {object} body
 */
export function postAndGo(path, body) {
  const headers = { "Content-Type": "application/json", "X-Avsession": "1" };
  const init = { method: "POST", headers, body: JSON.stringify(body), keepalive: true };
  void fetch(BASE + path, { ...init, credentials: "same-origin" }).catch(() => undefined);
}

/**
 * A file of the server's.
 * @param {string} path
 * @param {object} body
 */
export function postForFile(path, body) {
  return answer(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Avsession": "1" },
    body: JSON.stringify(body),
  });
}

/**
 * A text of the server's, as it is.
 * @param {string} path
 */
export async function getText(path) {
  return (await answer(path, { method: "GET" })).text();
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function call(path, init) {
  return (await answer(path, init)).json();
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function answer(path, init) {
  const sent = Date.now();
  let response;
  try {
    response = await fetch(BASE + path, { ...init, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new ApiError(0, "unreachable", "The server could not be reached.");
  }
  noteClock(response.headers.get("Date"), sent);
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new ApiError(response.status, said.code ?? "error", said.detail ?? response.statusText);
}

/**
 * @param {string | null} date
 * @param {number} sent
 */
function noteClock(date, sent) {
  const server = date ? Date.parse(date) : NaN;
  if (Number.isNaN(server)) return;
  // The header has whole seconds: half of one is the best guess of what was cut off.
  ahead = server + 500 - (sent + Date.now()) / 2;
}
