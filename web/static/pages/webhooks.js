// What other systems were told: endpoints, deliveries, and sending one again.

/** @import {HookDelivery, HookEndpoint} from "../types.js" */

import { signOutButton } from "../account.js";
import { get, post } from "../api.js";
import { announce, button, byId, el, onClick, show } from "../dom.js";
import { dateTime, onLanguage, sentence, t } from "../i18n.js";
import { guarded, start } from "../shell.js";
import { cell } from "../timeline.js";

const EVERY_MS = 5_000;
const PAGE = 100;
const STATES = ["", "waiting", "dead", "sent"];
/** @type {HookEndpoint[]} */
let endpoints = [];
/** @type {HookDelivery[]} */
let deliveries = [];
let more = false;
/** What is on the page: drawn anew only when it has changed, so that nobody loses their place. */
let drawn = "";

await start();
await signOutButton();
const state = byId("state", HTMLSelectElement);
for (const one of STATES) state.append(el("option", { value: one, "data-t": key(one) }, t(key(one))));
state.addEventListener("change", () => void guarded(load));
onClick(byId("more", HTMLButtonElement), () => guarded(older));
onLanguage(draw);
// only while nobody has asked for older ones: those would go
setInterval(() => deliveries.length <= PAGE && void load().catch(() => undefined), EVERY_MS);
await guarded(load);

/** @param {string} one a state, or "" for all */
function key(one) {
  return one ? `hooks.state.${one}` : "hooks.all";
}

/** @param {number} [before] */
async function page(before) {
  const query = new URLSearchParams({ state: state.value, ...(before ? { before: String(before) } : {}) });
  return get(`/api/admin/webhooks?${query}`);
}

async function load() {
  const found = await page();
  const told = JSON.stringify(found);
  if (told === drawn) return;
  drawn = told;
  ({ endpoints, deliveries } = found);
  more = deliveries.length === PAGE;
  draw();
}

async function older() {
  const found = (await page(deliveries.at(-1)?.made_ms)).deliveries;
  deliveries.push(...found);
  more = found.length === PAGE;
  draw();
}

function draw() {
  byId("endpoints", HTMLElement).replaceChildren(...endpoints.map(endpointRow));
  show(byId("no-endpoints", HTMLElement), endpoints.length === 0);
  // somebody may be reading a message in it
  const open = new Set([...document.querySelectorAll("#deliveries details[open]")].map((one) => one.id));
  byId("deliveries", HTMLElement).replaceChildren(...deliveries.map((one) => deliveryRow(one, open)));
  show(byId("no-deliveries", HTMLElement), deliveries.length === 0);
  show(byId("more", HTMLElement), more);
}

/** @param {HookEndpoint} one */
function endpointRow(one) {
  const { name } = one;
  const attempt = button(t("hooks.test"), () => guarded(() => did("test", { endpoint: name })), {
    "aria-label": `${t("hooks.test")}: ${name}`,
  });
  const again = button(t("hooks.replay_dead"), () => guarded(() => did("replay-dead", { endpoint: name })), {
    "aria-label": `${t("hooks.replay_dead")}: ${name}`,
  });
  again.disabled = one.dead === 0;
  return el(
    "tr",
    {},
    cell("hooks.name", name),
    cell("hooks.url", one.url, "digest"),
    cell("hooks.told", one.events.join(", ") || t("hooks.all")),
    cell("hooks.waiting", String(one.waiting), "number"),
    cell("hooks.dead", String(one.dead), "number"),
    cell("staff.action", el("div", { class: "row-buttons" }, attempt, again)),
  );
}

/**
 * @param {HookDelivery} one
 * @param {Set<string>} open
 */
function deliveryRow(one, open) {
  const path = `deliveries/${one.delivery}/replay`;
  const again = button(t("hooks.replay"), () => guarded(() => did(path)), {
    "aria-label": `${t("hooks.replay")}: ${one.kind}, ${one.endpoint}, ${dateTime(one.made_ms)}`,
  });
  const message = el(
    "details",
    { id: one.delivery, open: open.has(one.delivery) },
    el("summary", {}, t("hooks.message")),
    el("pre", { class: "bytes", tabindex: 0 }, one.message),
  );
  const due = one.due_ms === null ? "" : ` · ${dateTime(one.due_ms)}`;
  return el(
    "tr",
    {},
    cell("admin.when", dateTime(one.made_ms)),
    cell("hooks.name", one.endpoint),
    cell("hooks.kind", one.kind),
    cell("admin.state", `${sentence("hooks.state", one.state)}${due}`),
    cell("hooks.attempts", String(one.attempts), "number"),
    cell("hooks.outcome", one.outcome ? sentence("hooks.outcome", one.outcome, { code: one.outcome }) : "–"),
    cell("hooks.message", message),
    cell("staff.action", one.state === "waiting" ? "" : again),
  );
}

/**
 * @param {string} what
 * @param {object} [body]
 */
async function did(what, body) {
  await post(`/api/admin/webhooks/${what}`, body);
  announce(t("hooks.done"));
  await load();
}
