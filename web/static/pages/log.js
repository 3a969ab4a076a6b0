// The audit log: whether it verifies, its leaves with their proofs, exports. What is read is logged.

/** @import {LogLeaf, LogLine, LogState} from "../types.js" */

import { signOutButton } from "../account.js";
import { get, post } from "../api.js";
import { showBackup } from "../backup.js";
import { BASE } from "../base.js";
import { button, byId, el, onClick, show } from "../dom.js";
import { dateTime, onLanguage, sentence, t } from "../i18n.js";
import { saveFile } from "../save.js";
import { guarded, start } from "../shell.js";
import { cell } from "../timeline.js";

const STATE_MS = 15_000;
/** @type {LogLine[]} */
let leaves = [];
/** @type {number | null} */
let next = null;
/** @type {LogState | null} */
let state = null;
/** @type {LogLeaf | null} */
let opened = null;
/**
 * What was searched for last: typing alone asks for nothing. It may be a name, so it is sent as a
 * body and never stands in an address.
 * @type {Record<string, string | number>}
 */
let asked = {};

await start();
await signOutButton();
await guarded(look);
fillKinds();
byId("search", HTMLButtonElement).disabled = false;
byId("filters", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void guarded(search);
});
for (const form of ["jsonl", "csv"]) {
  onClick(byId(form, HTMLButtonElement), () =>
    guarded(() => saveFile("/api/admin/log/export", { ...asked, form }, `audit-log.${form}`)),
  );
}
onClick(byId("more", HTMLButtonElement), () => guarded(more));
onLanguage(draw);
setInterval(() => void look().catch(() => undefined), STATE_MS);
await guarded(search);
await guarded(showBackup);

async function look() {
  state = await get("/api/admin/log/state");
  drawSign();
}

async function search() {
  asked = filter();
  leaves = [];
  next = null;
  await more();
}

async function more() {
  const page = await post("/api/admin/log/leaves", next === null ? asked : { ...asked, below: next });
  leaves.push(...page.leaves);
  next = page.next;
  draw();
}

function filter() {
  /** @type {Record<string, string | number>} */
  const query = {};
  for (const name of ["session", "person"]) {
    const value = byId(name, HTMLInputElement).value.trim();
    if (value) query[name] = value;
  }
  const kind = byId("kind", HTMLSelectElement).value;
  if (kind) query["kind"] = kind;
  for (const name of ["from", "to"]) {
    const at = Date.parse(byId(name, HTMLInputElement).value);
    // the field has whole minutes: until means to the end of that minute
    if (!Number.isNaN(at)) query[`${name}_ms`] = name === "to" ? at + 59_999 : at;
  }
  return query;
}

function fillKinds() {
  const select = byId("kind", HTMLSelectElement);
  select.replaceChildren(el("option", { value: "", "data-t": "log.any" }, t("log.any")));
  for (const kind of state?.kinds ?? []) select.append(el("option", { value: kind }, kind));
}

function draw() {
  drawSign();
  byId("leaves", HTMLElement).replaceChildren(...leaves.map(row));
  const none = byId("none", HTMLElement);
  none.textContent = t(next === null ? "log.none" : "log.none_yet");
  show(none, leaves.length === 0);
  show(byId("more", HTMLElement), next !== null);
  const place = byId("leaf", HTMLElement);
  show(place, opened !== null);
  if (opened) place.replaceChildren(...whole(opened));
}

function drawSign() {
  if (!state) return;
  const sign = byId("sign", HTMLElement);
  const { problem, since_ms: since, checked_ms: checked, size, count } = state;
  let text = t(state.checking ? "log.checking" : "log.waiting");
  if (problem !== null) text = `✗ ${t("log.wrong", { count, problem })}`;
  else if (since !== null) {
    text = `✓ ${t("log.ok", { since: dateTime(since), size, checked: dateTime(checked ?? since) })}`;
  }
  sign.classList.toggle("wrong", problem !== null);
  if (sign.textContent !== text) sign.textContent = text;
}

/** @param {LogLine} one */
function row(one) {
  const open = button(String(one.leaf), () => guarded(() => openLeaf(one.leaf)), {
    class: "link",
    "aria-label": t("log.open", { leaf: one.leaf }),
  });
  return el(
    "tr",
    {},
    cell("log.number", open, "number"),
    cell("log.time", dateTime(one.at_ms)),
    cell("log.kind", one.kind),
    cell("log.session", short(one.session), "digest"),
    cell("log.who", short(one.actor), "digest"),
    cell("log.about", short(one.subject), "digest"),
    cell("log.refs", one.refs === "{}" ? "–" : one.refs, "digest"),
  );
}

/**
 * Enough of a pseudonym to tell two apart; the whole one is in the leaf.
 * @param {string | null} id
 */
function short(id) {
  if (!id) return "–";
  return id.startsWith("psn_") ? id.slice(4, 12) : id;
}

/** @param {number} leaf */
async function openLeaf(leaf) {
  opened = await get(`/api/admin/log/leaf?leaf=${leaf}`);
  draw();
  const place = byId("leaf", HTMLElement);
  place.focus();
  place.scrollIntoView({ block: "start" });
}

/** @param {LogLeaf} one */
function whole(one) {
  const details = one.details.map(({ field, value, state: how }) => [
    el("dt", {}, field),
    el("dd", {}, how === "gone" ? t("detail.gone") : sentence("detail", how, { value: value ?? "" })),
  ]);
  return [
    el("h2", {}, t("log.leaf", { leaf: one.leaf })),
    el("p", {}, `${one.kind} · ${dateTime(one.at_ms)}`),
    el("h3", {}, t("log.bytes")),
    el("pre", { class: "bytes", tabindex: 0 }, one.data),
    el("h3", {}, t("log.details")),
    details.length ? el("dl", {}, ...details.flat()) : el("p", { class: "hint" }, t("log.no_details")),
    el("h3", {}, t("log.hash")),
    el("p", { class: "digest" }, one.hash),
    el("h3", {}, t("log.proof")),
    ...proven(one),
  ];
}

/** @param {LogLeaf} one */
function proven(one) {
  if (one.proof === null) {
    const problem = one.problem?.sentence ?? "";
    return [el("p", { class: "sign wrong", role: "alert" }, `✗ ${t("log.unproven", { problem })}`)];
  }
  return [
    el("p", {}, el("a", { href: `${BASE}/api/admin/log/proof?leaf=${one.leaf}`, download: true }, t("log.download"))),
    el("pre", { class: "bytes", tabindex: 0 }, one.proof),
    el("h3", {}, t("log.checkpoint", { size: one.size ?? 0 })),
    el("pre", { class: "bytes", tabindex: 0 }, one.checkpoint ?? ""),
  ];
}
