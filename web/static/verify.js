// Verifying a receipt in the browser, step by step, as avsession/audit/receipt.py does. Pure but for
// WebCrypto: no network, no document. tests/vectors/ holds receipts on which both must agree.

/** @import {Statement} from "./types.js" */
/** @typedef {Record<string, any>} Fields */
/** @typedef {[boolean | null, string]} Found whether it holds (null: nothing to check), and its key */
/** @typedef {{number: number, name: string, holds: boolean | null, said: string}} Step */
/** @typedef {{name: string, key: Uint8Array<ArrayBuffer>, text: string}} LogKey */

import { canonical, hex, unb64, utf8 } from "./canonical.js";
import { lookOf, page } from "./receipt_page.js";
import { CONTEXT, keyId } from "./signer.js";

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

/** Ed25519 is not in every browser: then the log's own signature cannot be checked here. */
export class NoEd25519 extends Error {}

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
  const texts = ["leaf", "log_key", "origin", "privacy", "proof"].every((name) => typeof receipt[name] === "string");
  if (!known || !texts || !(receipt.kind in KINDS) || !TELLS.includes(receipt.language)) {
    throw new Error("no receipt");
  }
  return receipt;
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
  await step("inclusion", () => included(found).then(said));
  await step("checkpoint", () => signedByLog(found, key).then(said));
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

/** @param {Uint8Array<ArrayBuffer>} data */
async function sha256(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
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
 * @param {Fields} receipt
 * @returns {Promise<Found>}
 */
async function signatureHolds({ document, kind, leaf }) {
  if (kind === "erased") return [null, "none"];
  const block = document.signature;
  const state = document.event_state;
  const signer = JSON.parse(leaf).refs.key;
  if (!(state in ACTIONS)) return [false, "wrong"];
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
    [...one.purposes].sort().join() === ticked.sort().join() &&
    one.key === (await keyId(point)) &&
    one.key === signer;
  if (!agrees) return [false, "wrong"];
  const key = await crypto.subtle.importKey("raw", point, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  const data = utf8(CONTEXT + canonical(one));
  const how = { name: "ECDSA", hash: "SHA-256" };
  return said(await crypto.subtle.verify(how, key, unb64(block.signature), data));
}

/**
 * Standard base64, one spelling only.
 * @param {string | undefined} text
 */
function bytes64(text) {
  const bytes = Uint8Array.from(atob(text ?? ""), (char) => char.charCodeAt(0));
  if (btoa(String.fromCharCode(...bytes)) !== text) throw new TypeError("not base64");
  return bytes;
}

/** @param {string} text */
function number(text) {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) throw new TypeError("not a number");
  return Number(text);
}

/**
 * C2SP tlog-proof and the checkpoint in it.
 * @param {string} text
 */
function parseProof(text) {
  const gap = text.indexOf("\n\n");
  const [header, index = "", ...hashes] = text.slice(0, gap).split("\n");
  const note = text.slice(gap + 2);
  const middle = note.lastIndexOf("\n\n");
  const body = note.slice(0, middle + 1);
  const lines = note.slice(middle + 2).split("\n");
  const [origin = "", size = "", root, ...more] = body.split("\n");
  const signature = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(lines[0] ?? "");
  if (header !== "c2sp.org/tlog-proof@v1" || gap < 0 || middle < 0 || !index.startsWith("index ")) {
    throw new TypeError("not a tlog-proof");
  }
  if (!signature || more.length !== 1 || more[0] !== "") throw new TypeError("not a checkpoint of ours");
  return {
    index: number(index.slice("index ".length)),
    hashes: hashes.map(bytes64),
    body,
    origin,
    size: number(size),
    root: bytes64(root),
    /** One signature, the log's own, and nothing else: every byte of it is checked. */
    alone: lines.length === 2 && lines[1] === "",
    signer: signature[1],
    signature: bytes64(signature[2]),
  };
}

/**
 * @param {number} prefix
 * @param {...Uint8Array} parts
 */
async function node(prefix, ...parts) {
  return sha256(new Uint8Array([prefix, ...parts.flatMap((part) => [...part])]));
}

/**
 * RFC 9162, section 2.1.3.2, with divisions in place of shifts: sizes go beyond 32 bits.
 * @param {Fields} receipt
 */
async function included(receipt) {
  const { index, hashes, size, root } = parseProof(receipt["proof"]);
  if (JSON.parse(receipt["leaf"]).index !== index || index >= size) return false;
  let place = index;
  let last = size - 1;
  let hash = await node(0, utf8(receipt["leaf"]));
  for (const one of hashes) {
    if (last === 0 || one.length !== 32) return false;
    if (place % 2 === 1 || place === last) {
      hash = await node(1, one, hash);
      while (place % 2 === 0 && place !== 0) {
        place /= 2;
        last = Math.floor(last / 2);
      }
    } else hash = await node(1, hash, one);
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hex(hash) === hex(root);
}

/**
 * A log's key, `name+id+key`; throws when it is none.
 * @param {string} text
 * @returns {Promise<LogKey>}
 */
export async function parseKey(text) {
  const [, name = "", id = "", encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const data = bytes64(encoded);
  if (data.length !== 33 || data[0] !== 1) throw new TypeError("not an Ed25519 key");
  const named = await sha256(new Uint8Array([...utf8(`${name}\n`), ...data]));
  if (hex(named).slice(0, 8) !== id) throw new TypeError("the key and its id do not agree");
  return { name, key: data.slice(1), text };
}

/**
 * @param {Fields} receipt
 * @param {string} given
 */
async function signedByLog(receipt, given) {
  const { origin, body, alone, signer, signature } = parseProof(receipt["proof"]);
  const { name, key, text } = await parseKey(given || receipt["log_key"]);
  const id = text.split("+")[1];
  if (origin !== name || signer !== name || origin !== receipt["origin"]) return false;
  if (hex(signature.slice(0, 4)) !== id) return false;
  return alone && verifyEd25519(key, signature.slice(4), utf8(body));
}

/**
 * @param {Uint8Array<ArrayBuffer>} key
 * @param {Uint8Array<ArrayBuffer>} signature
 * @param {Uint8Array<ArrayBuffer>} data
 */
async function verifyEd25519(key, signature, data) {
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    throw new NoEd25519();
  }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, data);
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
