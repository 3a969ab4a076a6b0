// One session from beginning to end: who, when, what was asked and answered, with the evidence.

/** @import {AdminSessionDetail, ConsentEvent} from "./types.js" */

import { get, getText } from "./api.js";
import { BASE } from "./base.js";
import { destructions } from "./certificate.js";
import { child } from "./child.js";
import { enter } from "./desk.js";
import { button, el, sha256 as hashOf } from "./dom.js";
import { holds } from "./hold.js";
import { dateTime, duration, list, sentence, t } from "./i18n.js";
import { openModal } from "./modal.js";
import { render } from "./notice.js";

/**
 * @param {AdminSessionDetail} session
 * @param {string[]} configured the purposes that there are today
 * @param {(purpose: string) => string} labelOf
 * @param {(sha256: string, language: string) => unknown} showNotice
 * @param {() => unknown} changed called when something of the session has changed
 * @param {(error: unknown) => void} failed
 * @returns {HTMLElement[]}
 */
export function story(session, configured, labelOf, showNotice, changed, failed) {
  const purposes = [...session.recordings.flatMap((one) => one.purposes), ...configured];
  const parties = session.parties.map(({ party, name, role, language, joined_ms, left_ms }) =>
    el(
      "li",
      {},
      `${name || t("admin.nobody")} (${sentence("role", role)}${language ? `, ${language}` : ""})`,
      joined_ms ? ` · ${t("admin.joined", { when: dateTime(joined_ms) })}` : "",
      left_ms ? ` · ${t("admin.left", { when: dateTime(left_ms) })}` : "",
      ...(name ? [" ", enterButton(party, name, purposes, labelOf, changed)] : []),
    ),
  );
  const head = ["admin.time", "admin.who", "admin.event", "admin.purposes", "admin.notice", "admin.leaf"];
  const names = new Map(session.parties.map(({ party, name }) => [party, name]));
  const rows = session.events.map((one) => row(one, names, labelOf, showNotice));
  return [
    el("h2", {}, t("admin.story")),
    el("p", { class: "digest" }, `${session.session} · ${dateTime(session.created_ms)}`),
    el("ul", { class: "people" }, ...parties),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": t("admin.events") },
      el(
        "table",
        { "aria-label": t("admin.events") },
        el("thead", {}, el("tr", {}, ...head.map((key) => el("th", { scope: "col" }, t(key))))),
        el("tbody", {}, ...rows),
      ),
    ),
    el("h3", {}, t("admin.recordings")),
    recordings(session, failed),
    el("h3", {}, t("hold.heading")),
    ...holds(session, changed),
    ...child(session, changed),
    el("p", {}, el("a", { href: `${BASE}/admin/disclosures#${session.session}` }, t("disclosure.about"))),
  ];
}

/**
 * @param {string} party
 * @param {string} name
 * @param {string[]} purposes
 * @param {(purpose: string) => string} labelOf
 * @param {() => unknown} changed
 */
function enterButton(party, name, purposes, labelOf, changed) {
  const start = async () => {
    if (await enter({ party, name }, purposes, labelOf)) changed();
  };
  return button(t("desk.enter"), start, { class: "link", "aria-label": `${t("desk.enter")}: ${name}` });
}

/**
 * The session's recordings: what became of each, what keeps it, and the certificates.
 * @param {AdminSessionDetail} session
 * @param {(error: unknown) => void} failed
 */
function recordings(session, failed) {
  if (session.recordings.length === 0) return el("p", { class: "hint" }, t("mydata.no_recordings"));
  const load = (/** @type {string} */ id) => get(`/api/admin/certificates/${id}`);
  const items = session.recordings.map((one) =>
    el(
      "li",
      {},
      el("p", {}, `${dateTime(one.created_ms)} · ${sentence("state", one.state)} · ${duration(one.duration_ms)}`),
      ...(one.held ? [el("p", {}, t("hold.keeps"))] : []),
      ...destructions(one.certificates, load, failed),
    ),
  );
  return el("ul", { class: "cards" }, ...items);
}

/**
 * @param {ConsentEvent} one
 * @param {Map<string, string>} names
 * @param {(purpose: string) => string} labelOf
 * @param {(sha256: string, language: string) => unknown} showNotice
 */
function row(one, names, labelOf, showNotice) {
  const { notice } = one;
  const see = notice
    ? button(t("admin.read_notice", { language: one.language ?? "" }), () => showNotice(notice, one.language ?? ""), {
        class: "link",
      })
    : "";
  return el(
    "tr",
    {},
    el("td", {}, dateTime(one.at_ms)),
    el("td", {}, names.get(one.party ?? "") ?? ""),
    el("td", {}, sentence("event", one.kind)),
    el("td", {}, one.purposes.length ? list(one.purposes.map(labelOf)) : ""),
    el("td", {}, see),
    el("td", { class: "number" }, one.leaf === undefined ? "" : String(one.leaf)),
  );
}

/**
 * The archived bytes of a notice, checked against the hash that the event names.
 * @param {string} sha256
 * @param {string} language
 */
export async function showArchived(sha256, language) {
  const text = await getText(`/api/admin/notices/${sha256}`);
  const genuine = (await hashOf(text)) === sha256;
  await openModal(t("admin.notice"), (close) => [
    el("p", { class: "hint" }, t(genuine ? "admin.genuine" : "admin.not_genuine")),
    render(text, language, false),
    el("p", { class: "digest" }, `SHA-256 ${sha256}`),
    el("div", { class: "answers" }, close(t("close"), "")),
  ]);
}
