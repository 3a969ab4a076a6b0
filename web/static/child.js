// A child's data goes at once: a button on the session's story, with a confirmation.

/** @import {AdminSessionDetail} from "./types.js" */

import { post } from "./api.js";
import { ask } from "./ask.js";
import { button, el } from "./dom.js";
import { dateTime, sentence, t } from "./i18n.js";
import { confirmed } from "./stepup.js";

/**
 * @param {AdminSessionDetail} session
 * @param {() => unknown} changed
 * @returns {HTMLElement[]}
 */
export function child(session, changed) {
  const there = session.parties.some(({ role, name }) => role === "customer" && name);
  if (!there) return [];
  const told = el("p", { class: "hint", role: "status" });
  const start = async () => {
    let answer = { state: "", held: { category: "", review_ms: 0 } };
    const text = [el("p", {}, t("child.explain")), el("p", {}, t(session.ended_ms ? "child.for_good" : "child.ends"))];
    const done = await ask("child.title", text, [], async () => {
      answer = await confirmed("erase", session.session, () => post(`/api/admin/sessions/${session.session}/child`));
    }, "child.erase");
    if (!done) return;
    if (answer.state === "done") await changed();
    else told.textContent = answer.state === "held"
      ? t("held.told", { why: sentence("held", answer.held.category), when: dateTime(answer.held.review_ms) })
      : t("child.later");
  };
  return [el("h3", {}, t("child.heading")), button(t("child.title"), start), told];
}
