// Disclosures to authorities and processors: what was disclosed, and a new one about a session.

/** @import {AdminSessionDetail, Disclosure, Processor} from "../types.js" */

import { signOutButton } from "../account.js";
import { get, post } from "../api.js";
import { BASE } from "../base.js";
import { announce, byId, button, el, show } from "../dom.js";
import { dateTime, language, list, onLanguage, sentence, size, t } from "../i18n.js";
import { explain, say, start } from "../shell.js";
import { confirmed } from "../stepup.js";

const EVERY_MS = 1_000;
/** A processor gets things on its contract alone. */
const BASES = { authority: ["order", "duty", "claim"], processor: ["contract"] };
/** @type {Disclosure[]} */
let disclosures = [];
/** @type {Processor[]} */
let processors = [];
/** @type {AdminSessionDetail | null} */
let session = null;
let timer = 0;

await start();
await signOutButton();
byId("look", HTMLButtonElement).disabled = false;
byId("find", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void guarded(find);
});
onLanguage(() => {
  draw();
  drawForm();
});
await guarded(reload);
// from a session's story: its identifier is in the fragment, and no secret
if (location.hash.length > 1) {
  byId("session", HTMLInputElement).value = location.hash.slice(1);
  await guarded(find);
}

/** @param {() => Promise<unknown>} action */
async function guarded(action) {
  try {
    say("");
    await action();
  } catch (error) {
    say(explain(error));
  }
}

async function reload() {
  const before = new Set(disclosures.filter(({ state }) => state === "waiting").map((one) => one.disclosure));
  ({ disclosures, processors } = await get("/api/admin/disclosures"));
  draw();
  if (disclosures.some((one) => before.has(one.disclosure) && one.state === "ready")) announce(t("disclosure.is_ready"));
  clearTimeout(timer);
  if (disclosures.some(({ state }) => state === "waiting")) timer = setTimeout(() => void guarded(reload), EVERY_MS);
}

function draw() {
  byId("list", HTMLElement).replaceChildren(...disclosures.map(item));
  show(byId("none", HTMLElement), disclosures.length === 0);
}

/** @param {Disclosure} one */
function item(one) {
  const what = list(one.parts.map((part) => sentence("disclosure.part", part)));
  const made = el(
    "li",
    {},
    el("p", {}, el("strong", {}, one.given_to), ` · ${dateTime(one.made_ms)} · ${sentence("disclosure.state", one.state)}`),
    el("p", {}, t("disclosure.told", { what, basis: sentence("disclosure.basis", one.basis), text: one.basis_text || "–", reason: one.reason || "–" })),
    el("p", { class: "digest" }, `${one.session} · ${one.recipient}`),
  );
  if (one.silent_until_ms) made.append(el("p", {}, t("disclosure.silent", { when: dateTime(one.silent_until_ms) })));
  if (one.sha256) made.append(el("p", { class: "digest" }, `SHA-256 ${one.sha256}`));
  if (one.state === "ready") {
    const href = `${BASE}/api/admin/disclosures/${one.disclosure}.zip.age`;
    made.append(
      el("p", {}, el("a", { href, download: "" }, t("disclosure.download", { size: size(one.size) }))),
      el("p", { class: "hint" }, t("export.until", { when: dateTime(one.expires_ms) })),
    );
  }
  return made;
}

async function find() {
  session = await get(`/api/admin/sessions/${byId("session", HTMLInputElement).value.trim()}`);
  drawForm();
  byId("form", HTMLElement).focus();
}

/** What can be disclosed: value of the choice, and what it is called. @param {AdminSessionDetail} found */
function targets(found) {
  return [
    [`session ${found.session}`, t("hold.scope.session")],
    ...found.recordings
      .filter(({ state }) => state === "sealed" || state === "interrupted")
      .map((one) => [`recording ${one.recording}`, t("hold.the_recording", { when: dateTime(one.created_ms) })]),
    ...found.parties.map((one) => [`party ${one.party}`, `${one.name || t("admin.nobody")} (${sentence("role", one.role)})`]),
  ];
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

/**
 * @param {string} id
 * @param {number} most
 */
function line(id, most) {
  return el("input", { id, type: "text", maxlength: most, autocomplete: "off", required: true });
}

/** @param {[HTMLElement, string]} one a field and the key of its label */
function labelled([field, key]) {
  return [el("label", { for: field.id }, t(key)), field];
}

/** @param {Processor} one */
function processor({ name, what_for, where }) {
  const [why, place] = [what_for, where].map((phrase) => phrase[language()] ?? phrase["en"] ?? "");
  return t("disclosure.processor", { name, what: why ?? "", where: place ?? "" });
}

function drawForm() {
  const place = byId("form", HTMLElement);
  show(place, session !== null);
  if (!session) return;
  const what = choice("what", targets(session));
  const category = choice("category", Object.keys(BASES).map((one) => [one, t(`disclosure.category.${one}`)]));
  const typed = line("given-to", 200);
  const chosen = choice("processor", processors.map((one) => [one.name, processor(one)]));
  const toTyped = el("div", {}, el("label", { for: "given-to" }, t("disclosure.to")), typed);
  const toChosen = el("div", {}, el("label", { for: "processor" }, t("disclosure.to_processor")), chosen,
    el("p", { class: "hint" }, t(processors.length ? "disclosure.register" : "disclosure.no_register")));
  const basis = choice("basis", []);
  const follow = () => {
    const kind = /** @type {keyof typeof BASES} */ (category.value);
    show(toTyped, kind === "authority");
    show(toChosen, kind === "processor");
    basis.replaceChildren(...BASES[kind].map((one) => el("option", { value: one }, t(`disclosure.basis.${one}`))));
  };
  category.addEventListener("change", follow);
  follow();
  const text = line("basis-text", 500);
  const reason = line("reason", 500);
  const recipient = line("recipient", 200);
  const silent = el("input", { id: "silent", type: "date", "aria-describedby": "silent-hint" });
  const records = el("input", { id: "records", type: "checkbox", checked: true });
  const media = el("input", { id: "media", type: "checkbox" });
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const send = async () => {
    const [scope, target] = what.value.split(" ");
    const parts = [...(records.checked ? ["records"] : []), ...(media.checked ? ["media"] : [])];
    try {
      hint.textContent = "";
      await confirmed("disclose", target ?? "", () => post("/api/admin/disclosures", {
        scope, target, category: category.value, given_to: (category.value === "processor" ? chosen : typed).value, basis: basis.value, basis_text: text.value,
        reason: reason.value, parts, recipient: recipient.value,
        silent_until_ms: silent.value ? Date.parse(`${silent.value}T12:00:00`) || 0 : null,
      }));
      session = null;
      drawForm();
      await reload();
      byId("list", HTMLElement).scrollIntoView({ block: "start" });
    } catch (error) {
      hint.textContent = explain(error);
    }
  };
  /** @type {[HTMLElement, string][]} */
  const first = [[what, "disclosure.what"], [category, "disclosure.category_label"]];
  /** @type {[HTMLElement, string][]} */
  const fields = [
    [basis, "disclosure.basis_label"], [text, "disclosure.basis_text"], [reason, "disclosure.reason"], [recipient, "disclosure.recipient"], [silent, "disclosure.silent_until"],
  ];
  place.replaceChildren(
    el("h2", {}, t("disclosure.new")),
    el("fieldset", {}, el("legend", {}, t("disclosure.parts")),
      el("label", {}, records, ` ${t("disclosure.part.records")}`),
      el("label", {}, media, ` ${t("disclosure.part.media")}`)),
    ...first.flatMap(labelled),
    toTyped,
    toChosen,
    ...fields.flatMap(labelled),
    el("p", { id: "silent-hint", class: "hint" }, t("disclosure.silent_hint")),
    hint,
    button(t("disclosure.make"), send, { class: "strong" }),
  );
}
