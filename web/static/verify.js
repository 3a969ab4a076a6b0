// Verifying a receipt in the browser, step by step, as avsession/audit/receipt.py does. Pure but for
// WebCrypto: no network, no document. tests/vectors/ holds receipts on which both must agree.

/** @import {Statement} from "./types.js" */
/** @typedef {Record<string, any>} Fields */
/** @typedef {[boolean | null, string]} Found whether it holds (null: nothing to check), and its key */
/** @typedef {{number: number, name: string, holds: boolean | null, said: string}} Step */

import { canonical, hex, sha256, unb64, utf8 } from "./canonical.js";
import { lookOf, page } from "./receipt_page.js";
import { CONTEXT, keyId } from "./signer.js";
import { included, NoEd25519, parseKey, signedByLog } from "./tlog.js";

const OPEN = '<script type="application/json" id="receipt">';
const CLOSE = "</script>";
const MAX_RECEIPT = 16 * 1024 * 1024;
const FIELDS = [
  "document", "kind", "language", "leaf", "log_key", "notice", "opened", "origin", "privacy", "proof", "v",
];
const KINDS = /** @type {Fields} */ ({
  given: "consent.given",
  refused: "consent.refused",
  withdrawn: "consent.withdrawn",
  erased: "recording.erased",
});
/** The languages that a receipt is told in. */
const TELLS = ["en", "de"];
const ACTIONS = /** @type {Fields} */ ({ given: "give", refused: "refuse", withdrawn: "withdraw" });
/** How far the signed time may be from its event's, as avsession/audit/signatures.py says. */
const AWAY_MS = 360_000;

/**
 * The machine-readable part; throws when there is none.
 * @param {string} file
 * @returns {Fields}
 */
export function read(file) {
  const begin = file.indexOf(OPEN);
  const end = file.indexOf(CLOSE, begin);
  if (begin < 0 || end < 0 || file.indexOf(OPEN, begin + 1) >= 0) throw new Error("no receipt");
  const receipt = JSON.parse(file.slice(begin + OPEN.length, end));
  const known = Object.keys(receipt).sort().join() === FIELDS.join() && receipt.v === "avsession.receipt.v1";
  const texts = ["kind", "leaf", "log_key", "origin", "privacy", "proof"];
  const shaped =
    texts.every((name) => typeof receipt[name] === "string") &&
    ["document", "opened", ...(receipt.notice === null ? [] : ["notice"])].every((name) => isObject(receipt[name]));
  if (!known || !shaped || !Object.hasOwn(KINDS, receipt.kind) || !TELLS.includes(receipt.language)) {
    throw new Error("no receipt");
  }
  canonical(receipt); // throws for numbers and characters that are none
  return receipt;
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Check a file; every step is tried, whatever came of the others.
 * @param {Uint8Array} bytes the file
 * @param {string} key the log's key (`name+id+key`), "" when there is none but the receipt's own
 * @param {import("./receipt_page.js").Texts} texts
 * @returns {Promise<{steps: Step[], receipt: Fields | null, holds: boolean}>}
 */
export async function verify(bytes, key, texts) {
  /** @type {Step[]} */
  const steps = [];
  /**
   * @param {string} name
   * @param {() => Found | Promise<Found>} check
   */
  const step = async (name, check) => {
    /** @type {Found} */
    let found;
    try {
      found = await check();
    } catch (error) {
      found = error instanceof NoEd25519 ? [false, "unsupported"] : [false, "malformed"];
    }
    steps.push({ number: steps.length + 1, name, holds: found[0], said: `${name}.${found[1]}` });
  };
  /** @type {Fields | null} */
  let receipt = null;
  let file = "";
  await step("file", () => {
    if (bytes.length > MAX_RECEIPT) return [false, "wrong"];
    file = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    receipt = read(file);
    return [true, "holds"];
  });
  const found = /** @type {Fields | null} */ (receipt);
  if (found === null) return { steps, receipt: null, holds: false };
  await step("page", () => said(rendered(found, texts, lookOf(file)) === file));
  await step("document", () => documentHolds(found).then(said));
  await step("leaf", () => leafHolds(found).then(said));
  await step("notice", () => noticeHolds(found));
  await step("address", () => addressHolds(found));
  await step("language", () => languageHolds(found));
  await step("signature", () => signatureHolds(found));
  await step("inclusion", () => included(found["proof"], found["leaf"]).then(said));
  await step("checkpoint", () => signedByLog(found["proof"], key || found["log_key"], found["origin"]).then(said));
  await step("key", () => keyHolds(found, key));
  return { steps, receipt: found, holds: steps.every(({ holds }) => holds !== false) };
}

/**
 * @param {boolean} holds
 * @returns {Found}
 */
function said(holds) {
  return [holds, holds ? "holds" : "wrong"];
}

/**
 * The file as it must be; null when it is laid out as none ever was.
 * @param {Fields} receipt
 * @param {import("./receipt_page.js").Texts} texts
 * @param {import("./receipt_page.js").Look | null} look
 */
function rendered(receipt, texts, look) {
  const machine = canonical(receipt).replaceAll("<", "\\u003c");
  return look && page(receipt, `${OPEN}${machine}${CLOSE}`, texts, look);
}

/**
 * @param {string} salt
 * @param {string} field
 * @param {unknown} value
 */
async function commitment(salt, field, value) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", unb64(salt), algorithm, false, ["sign"]);
  return hex(await crypto.subtle.sign("HMAC", key, utf8(canonical([field, value]))));
}

/** @param {Fields} receipt */
async function documentHolds(receipt) {
  const { commitments, refs } = JSON.parse(receipt["leaf"]);
  const digest = hex(await sha256(utf8(canonical(receipt["document"]))));
  if (receipt["kind"] === "erased") {
    const none = Object.keys(receipt["opened"]).length + Object.keys(commitments).length === 0;
    return none && refs.sha256 === digest;
  }
  const opened = /** @type {[string, Fields][]} */ (Object.entries(receipt["opened"]));
  const names = opened.map(([name]) => name).sort();
  if (Object.keys(commitments).sort().join() !== names.join() || !names.includes("document")) return false;
  for (const [name, one] of opened) {
    if (Object.keys(one).sort().join() !== "salt,value") return false;
    if ((await commitment(one["salt"], name, one["value"])) !== commitments[name]) return false;
  }
  return receipt["opened"].document.value === digest;
}

/** @param {Fields} receipt */
async function leafHolds(receipt) {
  const { leaf, document, kind } = receipt;
  const body = JSON.parse(leaf);
  if (canonical(body) !== leaf || body.kind !== KINDS[kind]) return false;
  if (kind === "erased") return isOfCertificate(body, document);
  return (
    body.session === document.session &&
    document.event_state === kind &&
    body.refs.event === document.event_id &&
    body.refs.request === document.request &&
    body.refs.notice === (document.notice?.sha256 ?? null) &&
    body.subject === document.data_subject &&
    body.actor === document.acted_by
  );
}

/**
 * The entry says of the destruction what the certificate says, track by track.
 * @param {Fields} body
 * @param {Fields} document
 */
async function isOfCertificate({ session, subject, refs }, { certificate, what, why, by }) {
  /** @type {Fields[]} */
  const tracks = what.tracks;
  const told = tracks.map(({ track, segments, digest }) => ({ track, segments, digest }));
  const counted = await Promise.all(
    tracks.map(async ({ track, segments_sha256: list }) => {
      return { track, segments: list.length, digest: hex(await sha256(utf8(list.join("")))) };
    }),
  );
  return (
    session === what.session &&
    subject === (by.pseudonym ?? null) &&
    refs.recording === what.recording &&
    refs.certificate === certificate &&
    refs.whole === what.whole &&
    refs.reason === why &&
    canonical(refs.tracks) === canonical(told) &&
    canonical(told) === canonical(counted)
  );
}

/**
 * @param {Fields} receipt
 * @returns {Promise<Found>}
 */
async function noticeHolds({ notice, document, kind }) {
  const shown = document.notice ?? null;
  if (notice === null) return kind === "given" || shown !== null ? [false, "wrong"] : [null, "none"];
  const named = shown && notice.sha256 === shown.sha256 && notice.language === shown.language;
  const known = Object.keys(notice).sort().join() === "language,sha256,text";
  return said(Boolean(named) && known && hex(await sha256(utf8(notice.text))) === notice.sha256);
}

/**
 * Where to withdraw is what the document says: else a forger could send people elsewhere.
 * @param {Fields} receipt
 * @returns {Found}
 */
function addressHolds({ document, privacy }) {
  return "privacy" in document ? said(document.privacy === privacy) : [null, "none"];
}

/**
 * @param {Fields} receipt
 * @returns {Found}
 */
function languageHolds({ document, language }) {
  const told = document.notice?.language || document.language;
  if (!told) return [null, "none"];
  const [first] = told.split("-");
  return said(language === (TELLS.includes(first) ? first : "en"));
}

/**
 * A time in the one form that documents and signatures have, in ms; throws for any other.
 * @param {string} text
 */
function moment(text) {
  const at = Date.parse(text);
  if (new Date(at).toISOString() !== text) throw new TypeError("no time");
  return at;
}

/**
 * @param {Fields} receipt
 * @returns {Promise<Found>}
 */
async function signatureHolds({ document, kind, leaf }) {
  if (kind === "erased") return [null, "none"];
  const block = document.signature;
  const state = document.event_state;
  const signer = JSON.parse(leaf).refs.key;
  if (!Object.hasOwn(ACTIONS, state)) return [false, "wrong"];
  if (block.status !== "valid") {
    const known = ["missing", "invalid"].includes(block.status) && state !== "given" && signer === null;
    return known ? [null, "unsigned"] : [false, "wrong"];
  }
  /** @type {Statement} */
  const one = block.statement;
  const purposes = /** @type {Fields[]} */ (document.purposes);
  const ticked = purposes.filter(({ answer }) => answer).map(({ id }) => id);
  const point = unb64(block.public_key);
  const notice = document.notice ?? {};
  const agrees =
    block.algorithm === "ES256" &&
    Object.keys(one).length === 9 &&
    one.action === ACTIONS[state] &&
    one.request === document.request &&
    (state !== "given" || (one.notice === notice.sha256 && one.language === notice.language)) &&
    Array.isArray(one.purposes) &&
    canonical([...one.purposes].sort()) === canonical(ticked.sort()) &&
    Math.abs(moment(one.time) - moment(document.event_time)) <= AWAY_MS &&
    one.key === (await keyId(point)) &&
    one.key === signer;
  if (!agrees) return [false, "wrong"];
  const key = await crypto.subtle.importKey("raw", point, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  const data = utf8(CONTEXT + canonical(one));
  const how = { name: "ECDSA", hash: "SHA-256" };
  return said(await crypto.subtle.verify(how, key, unb64(block.signature), data));
}

/**
 * @param {Fields} receipt
 * @param {string} given
 * @returns {Promise<Found>}
 */
async function keyHolds(receipt, given) {
  await parseKey(receipt["log_key"]);
  if (!given) return [null, "own"];
  return said(given === receipt["log_key"]);
}
