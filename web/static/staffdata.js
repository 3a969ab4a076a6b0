// One's own data for people of the house who are signed in, on the privacy page.

/** @import {StaffData} from "./types.js" */

import { get } from "./api.js";
import { byId, el, show } from "./dom.js";
import { dateTime, onLanguage, sentence, t } from "./i18n.js";

/** @type {StaffData | null} */
let mine = null;

/** Show it, if somebody is signed in in this browser. */
export async function staffData() {
  mine = (await get("/api/my-data/staff")).mine;
  onLanguage(draw);
  draw();
}

function draw() {
  const place = byId("staff", HTMLElement);
  show(place, mine !== null);
  if (!mine) return;
  const { account, sign_ins, sessions, accesses, counts, kept_days } = mine;
  place.replaceChildren(
    el("h2", {}, t("staff.mine")),
    el("p", {}, t("staff.account", { name: account.name, login: account.login, role: sentence("role", account.role), when: dateTime(account.created_ms) })),
    el("p", {}, t("staff.kept", { days: kept_days })),
    el("h3", {}, t("staff.sign_ins")),
    list(sign_ins.map((one) =>
      t(one.current ? "staff.sign_in_now" : "staff.sign_in", { when: dateTime(one.created_ms), seen: dateTime(one.seen_ms) }))),
    el("h3", {}, t("staff.sessions", { count: counts.sessions })),
    list(sessions.map((one) =>
      t("staff.session", { session: one.session, when: dateTime(one.created_ms), end: one.ended_ms ? dateTime(one.ended_ms) : t("mydata.still_on") }))),
    el("h3", {}, t("staff.accesses", { count: counts.accesses })),
    list(accesses.map((one) => t("staff.access", { when: dateTime(one.at_ms), recording: one.recording, reason: one.reason || "–" }))),
  );
}

/** @param {string[]} lines */
function list(lines) {
  if (lines.length === 0) return el("p", { class: "hint" }, t("staff.none"));
  return el("ul", {}, ...lines.map((line) => el("li", {}, line)));
}
