// The certificate of a destruction: in a sentence, and whole in a dialog that lets one save it.

/** @import {Certificate, Destruction} from "./types.js" */

import { el, button } from "./dom.js";
import { dateTime, list, sentence, t } from "./i18n.js";
import { openModal } from "./modal.js";

/**
 * What was destroyed, by whom and why; once it is done with a button for the certificate, and one
 * for its receipt if ``receipt`` saves one. Each stands in a group that says whose buttons they are.
 * @param {Destruction[]} destructions
 * @param {(id: string) => Promise<Certificate>} load fetches the machine form
 * @param {(error: unknown) => void} failed
 * @param {(id: string) => Promise<void>} [receipt]
 * @returns {HTMLElement[]}
 */
export function destructions(destructions, load, failed, receipt) {
  return destructions.map((one) => {
    const when = dateTime(one.done_ms ?? one.decided_ms);
    const roles = list(one.roles.map((role) => sentence("role", role)));
    const what = one.whole ? t("certificate.whole") : t("certificate.part", { roles });
    const key = one.done_ms === null ? "certificate.doing" : "certificate.done";
    const by = sentence("certificate.by", one.by);
    const text = t(key, { what, when, by, why: sentence("certificate.why", one.reason) });
    if (one.done_ms === null) return el("p", {}, text);
    /** @param {() => Promise<void>} what */
    const tried = (what) => async () => {
      try {
        await what();
      } catch (error) {
        failed(error);
      }
    };
    const show = tried(async () => open(await load(one.certificate)));
    const row = el("p", { role: "group", "aria-label": t("certificate.title") }, `${text} `);
    row.append(button(t("certificate.title"), show, { class: "link" }));
    if (receipt) row.append(" ", button(t("receipt.save"), tried(() => receipt(one.certificate)), { class: "link" }));
    return row;
  });
}

/** @param {Certificate} found */
function open(found) {
  const { certificate: said, sha256, leaf } = found;
  const { left } = said;
  const rows = [
    ["certificate.recording", said.what.recording],
    ["certificate.what", t(said.what.whole ? "certificate.whole" : "certificate.only")],
    ...said.what.tracks.map(({ role, segments, digest }) => [
      "certificate.track",
      t("certificate.segments", { role: sentence("role", role), n: segments, digest }),
    ]),
    ["certificate.manifest", said.what.manifest.head ?? "–"],
    ["certificate.decided", dateTime(Date.parse(said.when.decided))],
    ["certificate.keys", dateTime(Date.parse(said.when.keys_destroyed))],
    ["certificate.all", dateTime(Date.parse(said.when.done))],
    ["certificate.reason", sentence("certificate.why", said.why)],
    ["certificate.who", sentence("certificate.by", said.by.role)],
    [
      "certificate.backups",
      left.key_backups_until
        ? t("certificate.backups_until", { when: dateTime(Date.parse(left.key_backups_until)) })
        : t("certificate.backups_none"),
    ],
    ["certificate.database", sentence("certificate.database", left.database)],
    ["privacy.controller", `${said.controller.name}, ${said.controller.address}`],
    ["admin.leaf", String(leaf)],
    ["certificate.digest", sha256],
  ];
  void openModal(t("certificate.title"), (close) => [
    el("h2", { tabindex: -1, autofocus: true }, t("certificate.title")),
    el("p", {}, t("certificate.explain")),
    el("dl", { class: "certificate" }, ...rows.flatMap(([key = "", text = ""]) => [el("dt", {}, t(key)), el("dd", {}, text)])),
    el("div", { class: "answers" }, button(t("certificate.save"), () => save(found), { class: "answer" }), close(t("close"), "")),
  ]);
}

/**
 * The machine form, as a file.
 * @param {Certificate} found
 */
function save(found) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(found, null, 1)], { type: "application/json" }));
  el("a", { href: url, download: `${found.certificate.certificate}.json` }).click();
  // the browser has begun to read it when the click returns
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
