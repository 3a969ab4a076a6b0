// The accounts on the admin's page, and disabling one.

/** @import {StaffAccount} from "./types.js" */

import { get, post } from "./api.js";
import { ask } from "./ask.js";
import { enterForStaff } from "./desk.js";
import { byId, button, el } from "./dom.js";
import { dateTime, onLanguage, sentence, t } from "./i18n.js";
import { cell } from "./timeline.js";

/** @type {StaffAccount[]} */
let known = [];

/**
 * Fetch the accounts and show them.
 * @param {string} me one's own account, which somebody else has to disable
 */
export async function accounts(me) {
  known = (await get("/api/admin/accounts")).accounts;
  draw(me);
}

/**
 * Draw them anew when the language changes.
 * @param {string} me
 */
export function follow(me) {
  onLanguage(() => draw(me));
}

/** @param {string} me */
function draw(me) {
  byId("accounts", HTMLElement).replaceChildren(...known.map((one) => row(one, me)));
}

/**
 * @param {StaffAccount} one
 * @param {string} me
 */
function row(one, me) {
  const state = one.disabled
    ? t("staff.disabled_on", { when: dateTime(one.disabled_ms ?? 0) })
    : t("staff.active");
  const name = one.name || t("staff.left");
  const out = button(t("staff.disable"), () => disable(one, me), { "aria-label": `${t("staff.disable")}: ${name}` });
  const enter = button(t("desk.enter"), () => enterForStaff({ account: one.account, name }), { "aria-label": `${t("desk.enter")}: ${name}` });
  return el(
    "tr",
    {},
    cell("staff.name", name),
    cell("staff.login", one.login || "–"),
    cell("staff.role", sentence("role", one.role)),
    cell("admin.state", state),
    cell("staff.action", el("div", { class: "row-buttons" }, enter, ...(one.disabled || one.account === me ? [] : [out]))),
  );
}

/**
 * @param {StaffAccount} one
 * @param {string} me
 */
async function disable(one, me) {
  const text = [el("p", {}, t("staff.disable_explain", { name: one.name }))];
  const done = await ask("staff.disable", text, [], () => post(`/api/admin/accounts/${one.account}/disable`));
  if (done) await accounts(me);
}
