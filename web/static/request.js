// The dialog `Recording request`: for what the agent asks to record.

/** @import {About} from "./types.js" */

import { button, el } from "./dom.js";
import { language, t } from "./i18n.js";
import { ticked } from "./notice.js";
import { closeSheet, openSheet } from "./sheet.js";

/**
 * @param {About} about
 * @param {(purposes: string[]) => Promise<unknown>} send
 */
export function openRequestDialog(about, send) {
  if (document.querySelector(".sheet")) return;
  const boxes = about.purposes.map(({ id, label }) =>
    el(
      "label",
      { class: "tick" },
      el("input", { type: "checkbox", value: id }),
      el("span", {}, label[language()] ?? label["en"] ?? id),
    ),
  );
  const group = el("div", { class: "purposes", role: "group", "aria-label": t("request.purposes") }, ...boxes);
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const submit = async () => {
    const purposes = ticked(group);
    if (purposes.length === 0) {
      hint.textContent = t("request.tick_one");
      return;
    }
    closeSheet(sheet);
    await send(purposes);
  };
  const sheet = openSheet(
    t("request.title"),
    el("h2", {}, t("request.heading")),
    el("p", {}, t("request.explain")),
    group,
    el(
      "div",
      { class: "foot" },
      hint,
      el(
        "div",
        { class: "answers" },
        button(t("request.send"), submit, { class: "answer strong" }),
        button(t("request.cancel"), () => closeSheet(sheet), { class: "answer" }),
      ),
    ),
  );
  // Nothing is decided here yet, so Escape may close it.
  sheet.addEventListener("keydown", ({ key }) => key === "Escape" && closeSheet(sheet));
}
