// This page's key, and what it signs: that its party allows, declines or withdraws.
//
// The private half is made here, cannot be taken out (extractable: false), and is kept nowhere but
// in this page's memory: a reload makes another. ECDSA on P-256, because every browser has it.

import { b64, canonical, hex, utf8 } from "./canonical.js";
import { serverNow } from "./api.js";

export const CONTEXT = "avsession.consent.v1\n";
export const KEY_CONTEXT = "avsession.key.v1\n";
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };
/** Withdrawing waits no longer than this for its signature. */
const PATIENCE_MS = 1_000;

/** @import {Signed, SignedConsent, Statement} from "./types.js" */

/** @typedef {{pair: CryptoKeyPair, publicKey: string, id: string}} Key */

export class Signer {
  constructor() {
    this.session = "";
    this.party = "";
    /** @type {Promise<Key>} */
    this.key = make();
    // Whoever needs it hears of a failure; until then it is nobody's.
    this.key.catch(() => undefined);
  }

  /**
   * Whose key it is.
   * @param {string} session
   * @param {string} party
   */
  belongs(session, party) {
    this.session = session;
    this.party = party;
  }

  /**
   * What enrols this key: its public half, and a proof that the private one is here.
   * @param {string} challenge the server's
   */
  async enrolment(challenge) {
    const { pair, publicKey, id } = await this.key;
    const { session, party } = this;
    const data = utf8(KEY_CONTEXT + canonical({ challenge, key: id, party, session }));
    const proof = await crypto.subtle.sign(SIGNING, pair.privateKey, data);
    return { public_key: publicKey, challenge, proof: b64(proof) };
  }

  /**
   * @param {Pick<Statement, "action" | "request"> & Partial<Statement>} said
   * @returns {Promise<Signed>}
   */
  async sign(said) {
    const { pair, id } = await this.key;
    const { session, party } = this;
    const time = new Date(Math.round(serverNow())).toISOString();
    const base = { notice: null, language: null, purposes: [] };
    const data = statementBytes({ ...base, ...said, session, party, time, key: id });
    const signature = await crypto.subtle.sign(SIGNING, pair.privateKey, data);
    return { key: id, time, signature: b64(signature) };
  }

  /**
   * As `sign`, for what must not fail: null when there is no signature in good time.
   * @param {Pick<Statement, "action" | "request"> & Partial<Statement>} said
   * @returns {Promise<Signed | null>}
   */
  async signIfPossible(said) {
    return inTime(this.sign(said));
  }

  /**
   * A withdrawal by a key that nobody knows yet: what enrols it, and the signature.
   * @param {string} challenge
   * @param {string} request
   */
  async withdrawal(challenge, request) {
    const both = Promise.all([this.enrolment(challenge), this.sign({ action: "withdraw", request })]);
    const done = await inTime(both);
    return done ? { enrol: done[0], signed: done[1] } : {};
  }

  /**
   * Consent to these purposes: what goes to the server, and what a grant must hold of it.
   * @param {string} request
   * @param {{sha256: string, language: string}} notice
   * @param {string[]} purposes
   * @returns {Promise<{signed: Signed, consent: SignedConsent}>}
   */
  async consent(request, { sha256, language }, purposes) {
    const said = { notice: sha256, language, purposes };
    const signed = await this.sign({ action: "give", request, ...said });
    const { publicKey } = await this.key;
    const { time, signature } = signed;
    return { signed, consent: { ...said, time, signature, public_key: publicKey } };
  }
}

/**
 * What comes of it, or null when it fails or takes too long.
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T | null>}
 */
function inTime(work) {
  /** @type {Promise<null>} */
  const late = new Promise((resolve) => setTimeout(() => resolve(null), PATIENCE_MS));
  return Promise.race([work.catch(() => null), late]);
}

/** @returns {Promise<Key>} */
async function make() {
  const pair = await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);
  const point = await crypto.subtle.exportKey("raw", pair.publicKey);
  return { pair, publicKey: b64(point), id: await keyId(point) };
}

/**
 * The name of a public key.
 * @param {BufferSource} point
 */
export async function keyId(point) {
  return hex(await crypto.subtle.digest("SHA-256", point));
}

/**
 * The bytes under a statement's signature.
 * @param {Statement} statement
 */
export function statementBytes(statement) {
  return utf8(CONTEXT + canonical(statement));
}
