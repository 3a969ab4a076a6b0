// The dialog `Withdraw consent`, after the recording has already been stopped.

import { button, el } from "./dom.js";
import { t } from "./i18n.js";
import { closeSheet, countdown, openSheet } from "./sheet.js";

/**
 * Ask what is to become of what was recorded. Resolves with the choice, or with null when the time
 * was over: then it is destroyed.
 * @param {number} seconds
 * @param {boolean} own whether only this party's own track is at stake
 * @returns {Promise<"keep" | "destroy" | null>}
 */
export function askFate(seconds, own) {
  const end = performance.now() + seconds * 1000;
  return new Promise((resolve) => {
    /** @param {"keep" | "destroy" | null} fate */
    const choose = (fate) => {
      closeSheet(sheet);
      resolve(fate);
    };
    const left = el("p", { class: "left", role: "timer", "aria-live": "off" });
    const sheet = openSheet(
      t("withdraw.title"),
      el("h2", {}, t("withdraw.stopped")),
      el("p", {}, t(own ? "withdraw.ask_own" : "withdraw.ask")),
      el("p", {}, t("withdraw.means")),
      el(
        "div",
        { class: "foot" },
        left,
        el(
          "div",
          { class: "answers" },
          button(t("withdraw.keep"), () => choose("keep"), { class: "answer" }),
          button(t("withdraw.destroy"), () => choose("destroy"), { class: "answer" }),
        ),
      ),
    );
    countdown(sheet, () => end, (n) => {
      left.textContent = t("withdraw.left", { n });
      if (n === 0) choose(null);
    });
  });
}
