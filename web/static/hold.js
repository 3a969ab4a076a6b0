// Legal holds on the admin's page: which there are, and placing and releasing one with a reason.

/** @import {AdminSessionDetail, Hold, StandingHold} from "./types.js" */

import { post } from "./api.js";
import { ask } from "./ask.js";
import { button, el } from "./dom.js";
import { dateTime, sentence, t } from "./i18n.js";

const DAY_MS = 86_400_000;
const REVIEW_DAYS = 90;
const CATEGORIES = ["claim", "order", "duty"];

/**
 * The session's holds, and a button for a new one.
 * @param {AdminSessionDetail} session
 * @param {() => unknown} changed
 * @returns {HTMLElement[]}
 */
export function holds(session, changed) {
  const items = session.holds.map((one) => item(session, one, changed));
  return [
    items.length ? el("ul", { class: "cards" }, ...items) : el("p", { class: "hint" }, t("hold.none")),
    button(t("hold.place"), () => place(session, changed)),
  ];
}

/**
 * @param {AdminSessionDetail} session
 * @param {Hold} one
 * @param {() => unknown} changed
 */
function item(session, one, changed) {
  const what = targets(session).find(([value]) => value === `${one.scope} ${one.target}`)?.[1] ?? sentence("hold.scope", one.scope);
  const released = one.released_ms !== null;
  const due = !released && one.review_ms <= Date.now();
  return el(
    "li",
    {},
    el("p", {}, el("strong", {}, t(released ? "hold.was" : "hold.stands", { what })), ` · ${sentence("hold.category", one.category)}`),
    el("p", {}, t("hold.why", { reason: one.reason || "–", asked: one.asked_by || "–", when: dateTime(one.placed_ms) })),
    released
      ? el("p", {}, t("hold.released", { when: dateTime(one.released_ms ?? 0), reason: one.release_reason || "–" }))
      : el("p", {}, t(due ? "hold.review_due" : "hold.review", { when: dateTime(one.review_ms) })),
    ...(released ? [] : [button(t("hold.release"), () => release(one, changed))]),
  );
}

/**
 * Every hold that stands, in whichever session: what is to be reviewed first in front.
 * @param {StandingHold[]} all
 * @param {(session: string) => unknown} open shows the session's story
 */
export function standing(all, open) {
  return all.map((one) => {
    const what = t("hold.stands", { what: sentence("hold.scope", one.scope) });
    const review = t(one.due ? "hold.review_due" : "hold.review", { when: dateTime(one.review_ms) });
    const name = `${t("hold.open")}: ${what}, ${one.reason}`;
    return el(
      "li",
      { class: one.due ? "late" : undefined },
      el("p", {}, el("strong", {}, what), ` · ${sentence("hold.category", one.category)}`),
      el("p", {}, t("hold.why", { reason: one.reason || "–", asked: one.asked_by || "–", when: dateTime(one.placed_ms) })),
      el("p", {}, review),
      button(t("hold.open"), () => open(one.session), { class: "link", "aria-label": name }),
    );
  });
}

/**
 * What can be held: value of the choice, and what it is called.
 * @param {AdminSessionDetail} session
 * @returns {[string, string][]}
 */
function targets(session) {
  return [
    [`session ${session.session}`, t("hold.scope.session")],
    ...session.recordings
      .filter(({ state }) => state !== "erased" && state !== "erasing")
      .map((one) => /** @type {[string, string]} */ ([`recording ${one.recording}`, t("hold.the_recording", { when: dateTime(one.created_ms) })])),
    ...session.parties.map((one) => /** @type {[string, string]} */ ([`party ${one.party}`, `${one.name || t("admin.nobody")} (${sentence("role", one.role)})`])),
  ];
}

/**
 * @param {AdminSessionDetail} session
 * @param {() => unknown} changed
 */
async function place(session, changed) {
  const what = choice("hold-what", targets(session));
  const category = choice("hold-category", CATEGORIES.map((one) => [one, sentence("hold.category", one)]));
  const reason = el("input", { type: "text", id: "hold-reason", maxlength: 500, autocomplete: "off", required: true });
  const asked = el("input", { type: "text", id: "hold-asked", maxlength: 200, autocomplete: "off", required: true });
  const review = el("input", { type: "date", id: "hold-review", required: true, value: day(Date.now() + REVIEW_DAYS * DAY_MS) });
  /** @type {[string, string, HTMLElement][]} */
  const fields = [
    ["hold-what", "hold.what", what],
    ["hold-category", "hold.category_label", category],
    ["hold-reason", "hold.reason", reason],
    ["hold-asked", "hold.asked_by", asked],
    ["hold-review", "hold.review_on", review],
  ];
  const done = await ask("hold.place", "hold.explain", fields, async () => {
    const [scope, target] = what.value.split(" ");
    await post("/api/admin/holds", {
      scope, target, category: category.value, reason: reason.value, asked_by: asked.value,
      review_ms: Date.parse(`${review.value}T12:00:00`) || 0,
    });
  });
  if (done) changed();
}

/**
 * @param {Hold} one
 * @param {() => unknown} changed
 */
async function release(one, changed) {
  const reason = el("input", { type: "text", id: "hold-reason", maxlength: 500, autocomplete: "off", required: true });
  const done = await ask("hold.release", "hold.release_explain", [["hold-reason", "hold.reason", reason]], async () => {
    await post(`/api/admin/holds/${one.hold}/release`, { reason: reason.value });
  });
  if (done) changed();
}

/** @param {number} ms */
function day(ms) {
  return new Date(ms).toISOString().slice(0, 10);
}

/**
 * @param {string} id
 * @param {string[][]} options
 */
function choice(id, options) {
  const select = el("select", { id });
  for (const [value = "", text = ""] of options) select.append(el("option", { value }, text));
  return select;
}
