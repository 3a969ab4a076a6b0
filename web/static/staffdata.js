// One's own data for people of the house who are signed in, on the privacy page, and their rights:
// each is put to the desk in words, and answered there within a month.

/** @import {StaffData} from "./types.js" */

import { get, post } from "./api.js";
import { ask, lines } from "./ask.js";
import { button, byId, el, show } from "./dom.js";
import { dateTime, onLanguage, sentence, t } from "./i18n.js";
import { labelOf } from "./mydata.js";
import { requests } from "./rights.js";
import { saveText } from "./save.js";
import { explain, say } from "./shell.js";

const PATH = "/api/my-data/staff";
const RIGHTS = ["rectify", "access", "object", "restrict", "erase", "complain"];

/** @type {StaffData | null} */
let mine = null;

/** Show it, if somebody is signed in in this browser. */
export async function staffData() {
  await load();
  onLanguage(draw);
}

async function load() {
  mine = (await get(PATH)).mine;
  draw();
}

/** @param {unknown} [error] */
async function changed(error) {
  if (error) return say(explain(error));
  say("");
  return load();
}

function draw() {
  const place = byId("staff", HTMLElement);
  show(place, mine !== null);
  if (!mine) return;
  const { account, kept_days } = mine;
  const save = () => saveText(JSON.stringify(mine, null, 2), "application/json", "my-data.json");
  place.replaceChildren(
    el("h2", {}, t("staff.mine")),
    el("p", {}, t("staff.account", { name: account.name, login: account.login, role: sentence("role", account.role), when: dateTime(account.created_ms) })),
    el("p", {}, t("staff.kept", { days: kept_days })),
    el("h3", {}, t("rights.heading")),
    el("p", {}, t("staff.rights", { days: kept_days })),
    el(
      "div",
      { class: "rights" },
      ...RIGHTS.map((right) => button(t(`staff.right.${right}`), () => use(right))),
      button(t("staff.save"), save),
    ),
    el("h3", {}, t("rights.requests")),
    requests(mine.requests, (request) => post(`${PATH}/requests/withdraw`, { request }), changed),
    ...everything(mine),
  );
}

/** @param {string} right */
async function use(right) {
  const text = lines("staff-text");
  const name = el("input", { type: "text", id: "staff-name", maxlength: 80, autocomplete: "off" });
  /** @type {[string, string, HTMLElement][]} */
  const fields = right === "rectify" ? [["staff-name", "staff.wanted", name]] : [];
  fields.push(["staff-text", "rights.words", text]);
  const done = await ask(`staff.right.${right}`, `staff.right.${right}_explain`, fields, async () => {
    await post(`${PATH}/requests`, { right, text: text.value, name: name.value });
  }, "rights.send");
  if (done) await changed();
}

/**
 * The lists, each under its heading with how many there are.
 * @param {StaffData} data
 */
function everything({ account, sign_ins, sessions, accesses, taken, holds, disclosures, log, counts }) {
  return [
    part("staff.sign_ins", {}, [
      ...sign_ins.map((one) =>
        t(one.current ? "staff.sign_in_now" : "staff.sign_in", { when: dateTime(one.created_ms), seen: dateTime(one.seen_ms) })),
      t(account.password ? "staff.password" : "staff.no_password"),
      ...(account.company ? [t("staff.company")] : []),
      ...account.passkeys.map((one) => t("staff.passkey", { name: one.name, when: dateTime(one.created_ms) })),
      ...(account.links ? [t("staff.links", { count: account.links })] : []),
    ]),
    part("staff.sessions", { count: counts.sessions }, sessions.map(session)),
    part("staff.accesses", { count: counts.accesses }, accesses.map((one) =>
      t("staff.access", { when: dateTime(one.at_ms), recording: one.recording, reason: one.reason || "–" }))),
    part("staff.taken", { count: counts.taken }, taken.map((one) =>
      t("staff.access", { when: dateTime(one.at_ms), recording: one.recording, reason: one.reason || "–" }))),
    part("staff.holds", { count: counts.holds }, holds.map((one) =>
      t(`staff.hold_${one.what}`, { when: dateTime(one.at_ms), reason: one.reason || "–" }))),
    part("staff.disclosures", { count: counts.disclosures }, disclosures.map((one) =>
      t("staff.disclosure", { when: dateTime(one.at_ms), to: one.given_to, reason: one.reason || "–" }))),
    part("staff.log", { count: counts.log }, log.map((one) =>
      t("staff.entry", { leaf: one.leaf, when: dateTime(one.at_ms), kind: one.kind }))),
  ].flat();
}

/** @param {StaffData["sessions"][number]} one */
function session(one) {
  const end = one.ended_ms ? dateTime(one.ended_ms) : t("mydata.still_on");
  const facts = [
    ...one.said.map(({ kind, at_ms }) => `${dateTime(at_ms)}: ${sentence("event", kind)}`),
    ...one.recordings.map(({ recording, erased }) => t(erased ? "staff.recording_gone" : "staff.recording", { recording })),
    ...one.watched.map(({ at_ms, purpose }) => t("staff.watched", { when: dateTime(at_ms), purpose: labelOf(purpose) })),
    ...one.disclosed.map(({ at_ms, given_to }) => t("staff.disclosed", { when: dateTime(at_ms), to: given_to })),
    ...(one.contact ? [t("desk.contact", { contact: one.contact })] : []),
    ...(one.held ? [t("held.told", { why: sentence("held", one.held.category), when: dateTime(one.held.review_ms) })] : []),
  ];
  const line = t("staff.session", { session: one.session, when: dateTime(one.created_ms), end });
  return facts.length ? el("details", {}, el("summary", {}, line), list(facts)) : line;
}

/**
 * @param {string} key of the heading
 * @param {Record<string, string | number>} fields
 * @param {(string | HTMLElement)[]} items
 */
function part(key, fields, items) {
  return [el("h3", {}, t(key, fields)), list(items)];
}

/** @param {(string | HTMLElement)[]} items */
function list(items) {
  if (items.length === 0) return el("p", { class: "hint" }, t("staff.none"));
  return el("ul", {}, ...items.map((item) => el("li", {}, item)));
}
