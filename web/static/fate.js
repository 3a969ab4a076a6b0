// `Withdraw consent` after the call: a modal dialog, for there is no call to keep in reach.

import { el } from "./dom.js";
import { t } from "./i18n.js";
import { openModal } from "./modal.js";

/**
 * What is to become of what was recorded; null when nothing was chosen, which means destroy.
 * @returns {Promise<"keep" | "destroy" | null>}
 */
export async function chooseFate() {
  const chosen = await openModal(t("withdraw.title"), (close) => [
    el("h2", {}, t("withdraw.stopped")),
    el("p", {}, t("withdraw.ask_mine")),
    el("p", {}, t("withdraw.means")),
    el("div", { class: "answers" }, close(t("withdraw.keep"), "keep"), close(t("withdraw.destroy"), "destroy")),
  ]);
  return chosen === "keep" || chosen === "destroy" ? chosen : null;
}
