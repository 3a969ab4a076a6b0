// The browser's lock, as a rule without side effects: may this browser send to this recorder?
//
// The answer is a code that says why not, or "". Nothing here trusts the server's word that
// recording is on: consent is this party's own click, and the recorder is the one whose
// certificate the grant names.

/** @import {Grant, PartyInfo, RecordingStatus, SignedConsent} from "./types.js" */

import { canonical } from "./canonical.js";

/** The server's clock is known to about a second. */
const CLOCK_SLACK_MS = 2_000;
const CODECS = new Set(["vp8", "opus", "rtx"]);

/**
 * The grant in a token; null when there is none in it. Its signature is the recorder's to check:
 * this page has no key to check it with that the server had not given it.
 * @param {string} token
 * @returns {Grant | null}
 */
export function readGrant(token) {
  try {
    const body = (token.split(".")[0] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
    const grant = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isGrant(grant) ? grant : null;
  } catch {
    return null;
  }
}

/**
 * @param {any} grant
 * @returns {grant is Grant}
 */
function isGrant(grant) {
  const texts = ["request", "recording", "fingerprint", "session"];
  const numbers = ["generation", "issued_ms", "expires_ms", "max_height", "max_bitrate"];
  return (
    texts.every((name) => typeof grant[name] === "string") &&
    numbers.every((name) => Number.isSafeInteger(grant[name])) &&
    Array.isArray(grant.consents) &&
    grant.consents.every(isConsent) &&
    Array.isArray(grant.purposes) &&
    Array.isArray(grant.legs)
  );
}

/** @param {any} consent */
function isConsent(consent) {
  const texts = ["event", "party", "notice", "language", "time", "public_key", "signature"];
  return texts.every((name) => typeof consent?.[name] === "string") && Array.isArray(consent.purposes);
}

/**
 * @typedef {object} Situation
 * @property {Grant | null} grant the newest one that was told
 * @property {string} you this party
 * @property {string} session
 * @property {ReadonlyMap<string, SignedConsent>} given requests that this very party has
 *   allowed in this window, as it signed them
 * @property {ReadonlySet<string>} stopped requests that are over for this page
 * @property {ReadonlySet<string>} paused requests under which this very party has paused
 * @property {readonly PartyInfo[]} parties who is there, the recorder aside or not
 * @property {RecordingStatus | null} shown the status that the page shows
 * @property {number} newest the newest generation heard of
 * @property {number} now milliseconds since the Unix epoch, server's clock
 */

/**
 * @param {Situation} here
 * @param {{recording: string, generation: number, sdp: string}} offer
 * @returns {string} "" when the leg may be made
 */
export function refusal(here, offer) {
  const { grant } = here;
  if (!grant) return "grant.missing";
  if (grant.session !== here.session) return "grant.other_session";
  if (offer.recording !== grant.recording) return "grant.other_recording";
  if (offer.generation !== grant.generation || grant.generation < here.newest) {
    return "grant.stale";
  }
  if (here.now > grant.expires_ms + CLOCK_SLACK_MS) return "grant.expired";
  if (here.stopped.has(grant.request)) return "consent.withdrawn";
  if (here.paused.has(grant.request)) return "recording.paused";
  const mine = here.given.get(grant.request);
  if (!mine) return "consent.missing";
  if (!grant.purposes.every((purpose) => mine.purposes.includes(purpose))) return "consent.purposes";
  // Nobody is recorded without seeing that it is so.
  if (here.shown?.state !== "on" || here.shown.recording !== grant.recording) return "status.off";
  const why = notForAll(grant, here.you, here.parties) || notTheRecorder(offer.sdp, grant.fingerprint);
  return why || (holds(grant, here.you, mine) ? "" : "consent.signature");
}

/**
 * What the grant says this party signed is what it did sign, to the letter.
 * @param {Grant} grant
 * @param {string} you
 * @param {SignedConsent} mine
 */
function holds(grant, you, mine) {
  const said = grant.consents.filter(({ party }) => party === you);
  return said.length === 1 && canonical({ ...said[0], ...mine }) === canonical(said[0]);
}

/**
 * Everyone present has consented and is recorded, nobody else, and it is known who is present.
 * @param {Grant} grant
 * @param {string} you
 * @param {readonly PartyInfo[]} parties
 */
function notForAll(grant, you, parties) {
  const present = parties.filter(({ role }) => role !== "recorder");
  if (present.some(({ presence }) => presence !== "present")) return "parties.unknown";
  const legs = new Set(grant.legs.map(({ party }) => party));
  const all = present.every(({ party }) => legs.has(party));
  const consented = new Set(grant.consents.map(({ party }) => party));
  const signed = present.every(({ party }) => consented.has(party));
  const counts = [legs.size, grant.legs.length, consented.size, grant.consents.length];
  if (!all || !signed || !legs.has(you) || counts.some((n) => n !== present.length)) return "parties.mismatch";
  return present.length < 2 ? "parties.alone" : "";
}

/**
 * @param {string} sdp
 * @param {string} fingerprint as the grant names it
 */
function notTheRecorder(sdp, fingerprint) {
  const lines = sdp.split(/\r?\n/);
  const said = lines.filter((line) => /^a=fingerprint:/i.test(line));
  const wanted = `a=fingerprint:sha-256 ${fingerprint}`;
  if (said.length === 0 || said.some((line) => line.trim() !== wanted)) {
    return "fingerprint.mismatch";
  }
  const maps = lines.filter((line) => line.startsWith("a=rtpmap:"));
  const codecs = maps.map((line) => (line.split(" ")[1] ?? "").split("/")[0]?.toLowerCase() ?? "");
  if (codecs.some((codec) => !CODECS.has(codec))) return "sdp.codecs";
  // A recorder takes; it must not be able to send anything into this page.
  const takes = lines.filter((line) => /^a=(sendrecv|sendonly|inactive|recvonly)\s*$/.test(line));
  const media = lines.filter((line) => line.startsWith("m="));
  if (media.some((line) => !/^m=(audio|video) /.test(line))) return "sdp.media";
  if (takes.length < media.length || takes.some((line) => line.trim() !== "a=recvonly")) {
    return "sdp.direction";
  }
  return "";
}
