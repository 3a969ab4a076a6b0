// A privacy request at the admin's desk: its row, and the dialogs of what is done about it.

/** @import {DeskFigures, DeskRequest} from "./types.js" */

import { post } from "./api.js";
import { ask, lines } from "./ask.js";
import { copies } from "./copy.js";
import { button, el, show } from "./dom.js";
import { dateTime, list, sentence, t } from "./i18n.js";
import { openModal } from "./modal.js";
import { boxes } from "./purposes.js";
import { cell } from "./timeline.js";
import { confirmed } from "./stepup.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 20;
/** A request is due soon when its answer is owed within a week; as avsession/usecases/requests.py. */
const SOON_MS = 7 * 86_400_000;
const ENDED = ["answered", "refused", "withdrawn"];
/** What is done in words: the step's name in the address. */
const STEPS = { verify: "verify", extend: "extend", answer: "answer", refuse: "refuse", lift: "lift" };

/**
 * @param {DeskRequest} one
 * @param {(purpose: string) => string} labelOf
 * @param {() => unknown} changed
 */
export function row(one, labelOf, changed) {
  const { due_ms, done_ms, late } = one;
  const due = ENDED.includes(one.state) ? "–" : dateTime(due_ms);
  const soon = !late && !ENDED.includes(one.state) && due_ms - Date.now() <= SOON_MS;
  const notes = [
    late ? t("desk.late") : "",
    soon ? t("desk.soon") : "",
    one.restricts ? t("desk.restricts") : "",
    one.held ? t("desk.held", { when: dateTime(one.held.review_ms) }) : "",
    done_ms === null ? "" : t("desk.done", { when: dateTime(done_ms) }),
  ].filter(Boolean);
  const todo = acts(one, changed);
  return el(
    "tr",
    { class: late ? "late" : undefined },
    cell("desk.due", due),
    cell("desk.right", sentence("right", one.right)),
    cell("desk.who", el("div", {}, ...who(one))),
    cell("desk.state", [sentence("request_state", one.state), ...notes].join(" · ")),
    cell("desk.said", el("div", {}, ...said(one, labelOf))),
    cell("desk.acts", el("div", { class: "row-buttons" }, ...(todo.length ? todo : ["–"]))),
  );
}

/** @param {DeskRequest} one */
function who({ of, name, role, contact, received_ms, by }) {
  const what = of === "staff" ? t("desk.of_staff", { role: sentence("role", role) }) : sentence("role", role);
  const title = `${name || t("admin.nobody")} (${what})`;
  const came = t(by === "staff" ? "desk.entered" : "desk.received", { when: dateTime(received_ms) });
  const where = t(of === "staff" ? "desk.login" : "desk.contact", { contact });
  return [el("p", {}, title), ...(contact ? [el("p", {}, where)] : []), el("p", { class: "hint" }, came)];
}

/**
 * @param {DeskRequest} one
 * @param {(purpose: string) => string} labelOf
 */
function said({ text, wanted, purposes, extension, answer }, labelOf) {
  const parts = [];
  if (text) parts.push(text);
  if (wanted) parts.push(t("desk.wanted", { name: wanted }));
  if (purposes.length) parts.push(t("desk.purposes", { list: list(purposes.map(labelOf)) }));
  if (extension) parts.push(t("rights.extended", { reason: extension }));
  if (answer) parts.push(t("rights.answer", { answer }));
  return parts.length ? parts.map((part) => el("p", { class: "written" }, part)) : ["–"];
}

/**
 * What can be done about it, each a button that names the request it is about.
 * @param {DeskRequest} one
 * @param {() => unknown} changed
 */
function acts(one, changed) {
  /** @type {(keyof typeof STEPS | keyof typeof OTHERWISE)[]} */
  const found = [];
  if (one.state === "verifying") found.push("verify", "refuse");
  if (one.state === "open" || one.state === "extended") {
    found.push(one.carried_out ? "carry_out" : "answer");
    if (one.of === "party" && one.right === "rectify") found.push("correct");
    if (one.of === "party" && one.by === "staff" && !one.carried_out) found.push("link");
    if (one.state === "open") found.push("extend");
    found.push("refuse");
  }
  if (ENDED.includes(one.state) && one.restricts) found.push("lift");
  return found.map((act) => {
    const name = t(`desk.${act}`);
    const about = `${name}: ${sentence("right", one.right)}, ${one.name || t("admin.nobody")}`;
    const start = act in OTHERWISE
      ? OTHERWISE[/** @type {keyof typeof OTHERWISE} */ (act)](one)
      : inWords(one, /** @type {keyof typeof STEPS} */ (act));
    return button(name, async () => {
      if (await start()) changed();
    }, { "aria-label": about });
  });
}

/**
 * @param {DeskRequest} one
 * @param {keyof typeof STEPS} act
 */
function inWords(one, act) {
  return () => {
    const text = lines("desk-text");
    /** @type {[string, string, HTMLElement][]} */
    const fields = [["desk-text", `desk.${act}_label`, text]];
    return ask(`desk.${act}`, `desk.${act}_explain`, fields, async () => {
      await post(`/api/admin/requests/${one.request}/${STEPS[act]}`, { text: text.value });
    });
  };
}

/** @param {DeskRequest} one */
function carryOut(one) {
  return () =>
    ask("desk.carry_out", `desk.carry_out_${one.right}`, [], async () => {
      await confirmed("erase", one.request, () => post(`/api/admin/requests/${one.request}/carry-out`));
    });
}

/** @param {DeskRequest} one */
function correct(one) {
  return () => {
    const name = el("input", { type: "text", id: "desk-name", maxlength: 80, autocomplete: "off", value: one.name });
    const contact = el("input", { type: "text", id: "desk-contact", maxlength: 200, autocomplete: "off", value: one.contact });
    /** @type {[string, string, HTMLElement][]} */
    const fields = [["desk-name", "rights.name", name], ["desk-contact", "desk.contact_label", contact]];
    return ask("desk.correct", "desk.correct_explain", fields, async () => {
      await post(`/api/admin/requests/${one.request}/correct`, { name: name.value, contact: contact.value });
    });
  };
}

/**
 * A new private link, shown once, to be handed to the person.
 * @param {DeskRequest} one
 */
function link(one) {
  return async () => {
    let url = "";
    const done = await ask("desk.link", [el("p", {}, t("desk.link_explain", { name: one.name }))], [], async () => {
      const made = await confirmed("link", one.request, () => post(`/api/admin/requests/${one.request}/link`));
      url = made.data_url;
    });
    if (!done) return false;
    await openModal(t("desk.link_made"), (close) => {
      const field = el("input", { type: "text", id: "desk-link", readonly: true, value: url });
      const copy = button(t("copy.copy"), () => {});
      copies(field, copy);
      return [
        el("h2", {}, t("desk.link_made")),
        el("p", {}, t("desk.link_hand")),
        el("label", { for: "desk-link" }, t("join.link")),
        field,
        el("div", { class: "answers" }, copy, close(t("desk.link_close"), "")),
      ];
    });
    return true;
  };
}

/** What is done in another way than in words. */
const OTHERWISE = { carry_out: carryOut, correct, link };

/**
 * The figures as bars, each with its number in words beside it.
 * @param {DeskFigures} figures
 */
export function picture(figures) {
  const kinds = /** @type {(keyof DeskFigures)[]} */ (Object.keys(figures));
  const most = Math.max(1, ...Object.values(figures));
  return el(
    "dl",
    { class: "figures" },
    ...kinds.flatMap((kind) => [
      el("dt", {}, t(`figure.${kind}`)),
      el("dd", {}, el("span", { class: "number" }, String(figures[kind])), bar(kind, figures[kind] / most)),
    ]),
  );
}

/**
 * @param {string} kind
 * @param {number} part
 */
function bar(kind, part) {
  const svg = document.createElementNS(SPACE, "svg");
  const rect = document.createElementNS(SPACE, "rect");
  const said = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" };
  for (const [name, value] of Object.entries(said)) svg.setAttribute(name, value);
  const drawn = { x: 0, y: 0, width: part * WIDTH, height: HEIGHT, class: `figure-${kind}` };
  for (const [name, value] of Object.entries(drawn)) rect.setAttribute(name, String(value));
  svg.append(rect);
  return svg;
}

const RIGHTS = ["access", "export", "rectify", "restrict", "object", "erase", "complain"];
const OF_STAFF = RIGHTS.filter((right) => right !== "export");

/**
 * Enter a request that came by another way, for somebody of a session. An objection names the
 * purposes, as on the person's own page.
 * @param {{party: string, name: string}} party
 * @param {string[]} purposes what can be objected to
 * @param {(purpose: string) => string} labelOf
 */
export function enter(party, purposes, labelOf) {
  return entering(party.name, RIGHTS, (said) => post("/api/admin/requests", { party: party.party, ...said }), purposes, labelOf);
}

/**
 * @param {string} name
 * @param {string[]} rights
 * @param {(said: {right: string, text: string, purposes?: string[]}) => Promise<unknown>} put
 * @param {string[]} [purposes]
 * @param {(purpose: string) => string} [labelOf]
 */
function entering(name, rights, put, purposes = [], labelOf = String) {
  const right = el("select", { id: "desk-right" });
  for (const one of rights) right.append(el("option", { value: one }, sentence("right", one)));
  const text = lines("desk-text");
  const { group, ticked } = boxes(purposes, labelOf);
  const objects = () => right.value === "object" && purposes.length > 0;
  show(group, objects());
  right.addEventListener("change", () => show(group, objects()));
  /** @type {[string, string, HTMLElement][]} */
  const fields = [["desk-right", "desk.right", right], ["", "", group], ["desk-text", "desk.enter_label", text]];
  const explained = [el("p", {}, t("desk.enter_explain", { name }))];
  return ask("desk.enter", explained, fields, async () => {
    await put({ right: right.value, text: text.value, ...(objects() ? { purposes: ticked() } : {}) });
  });
}

/**
 * The same for a member of staff, or one who has left.
 * @param {{account: string, name: string}} account
 */
export function enterForStaff(account) {
  return entering(account.name, OF_STAFF, (said) => post(`/api/admin/accounts/${account.account}/requests`, said));
}

/**
 * How many wait, are due within a week, and are late, in a line.
 * @param {DeskFigures} figures
 */
export function reminder({ open, soon, late }) {
  return t("desk.reminder", { open: open + soon + late, soon, late });
}
