// A transparency log's proofs: C2SP tlog-proof and checkpoint, RFC 6962's tree, the log's key. Pure but
// for WebCrypto; the counterpart of avsession/audit/proof.py and checkpoint.py.

/** @typedef {{name: string, id: string, key: Uint8Array<ArrayBuffer>}} LogKey */

import { hex, sha256, utf8 } from "./canonical.js";

/** Ed25519 is not in every browser: then the log's own signature cannot be checked here. */
export class NoEd25519 extends Error {}

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
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || BigInt(text) > 2n ** 53n) throw new TypeError("not a number");
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
  if (!signature) throw new TypeError("not a checkpoint of ours");
  return {
    index: number(index.slice("index ".length)),
    hashes: hashes.map(bytes64),
    body,
    origin,
    size: number(size),
    root: bytes64(root),
    /** Three lines, one signature, the log's own, and nothing else: every byte of it is checked. */
    alone: more.length === 1 && more[0] === "" && lines.length === 2 && lines[1] === "",
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
 * Whether a leaf is in the log where its proof and itself say. RFC 9162, section 2.1.3.2, with
 * divisions in place of shifts: sizes go beyond 32 bits.
 * @param {string} proof
 * @param {string} leaf its bytes, as text
 */
export async function included(proof, leaf) {
  const { index, hashes, size, root } = parseProof(proof);
  if (JSON.parse(leaf).index !== index || index >= size) return false;
  let place = index;
  let last = size - 1;
  let hash = await node(0, utf8(leaf));
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
  return { name, id, key: data.slice(1) };
}

/**
 * Whether the checkpoint in a proof is that log's, and signed with that key.
 * @param {string} text the proof
 * @param {string} logKey
 * @param {string} log its name
 */
export async function signedByLog(text, logKey, log) {
  const { origin, body, alone, signer, signature } = parseProof(text);
  const { name, key, id } = await parseKey(logKey);
  if (origin !== name || signer !== name || origin !== log) return false;
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
