// One session from beginning to end: who, when, what was asked and answered, with the evidence.

/** @import {AdminSessionDetail, ConsentEvent} from "./types.js" */

import { getText } from "./api.js";
import { button, el, sha256 as hashOf } from "./dom.js";
import { dateTime, list, sentence, t } from "./i18n.js";
import { openModal } from "./modal.js";
import { render } from "./notice.js";

/**
 * @param {AdminSessionDetail} session
 * @param {(purpose: string) => string} labelOf
 * @param {(sha256: string, language: string) => unknown} showNotice
 * @returns {HTMLElement[]}
 */
export function story(session, labelOf, showNotice) {
  const parties = session.parties.map(({ name, role, language, joined_ms, left_ms }) =>
    el(
      "li",
      {},
      `${name} (${sentence("role", role)}${language ? `, ${language}` : ""})`,
      joined_ms ? ` · ${t("admin.joined", { when: dateTime(joined_ms) })}` : "",
      left_ms ? ` · ${t("admin.left", { when: dateTime(left_ms) })}` : "",
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
  ];
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
