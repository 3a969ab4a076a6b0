// The privacy policy and the notices as their bytes say, their versions, and what changed between two.

/** @import {PolicyChanges, PolicyDocument, PolicyText} from "./types.js" */

import { get } from "./api.js";
import { button, el, sha256 } from "./dom.js";
import { date, dateTime, language, onLanguage, sentence, t } from "./i18n.js";

/**
 * Show the policy in force, and below it the way to compare versions.
 * @param {HTMLElement} place
 * @param {(error: unknown) => void} failed
 */
export function showPolicy(place, failed) {
  const text = el("div", { class: "policy" });
  const changes = el("details", { id: "changes" });
  place.replaceChildren(text, changes);
  const draw = async () => {
    try {
      const { documents } = /** @type {{documents: PolicyDocument[]}} */ (await get("/api/policies"));
      const shown = /** @type {PolicyText} */ (await get(`/api/policies/text?${query({ document: "privacy" })}`));
      text.replaceChildren(...(await whole(shown, documents)));
      comparing(changes, documents, failed);
    } catch (error) {
      failed(error);
    }
  };
  onLanguage(() => void draw());
  return draw();
}

/** @param {Record<string, string>} asked */
function query(asked) {
  return new URLSearchParams({ ...asked, language: language() });
}

/**
 * @param {PolicyText} shown
 * @param {PolicyDocument[]} documents
 */
async function whole(shown, documents) {
  // What is shown is what was published, to the letter: its digest is in the audit log.
  const genuine = (await sha256(shown.text)) === shown.sha256;
  if (!genuine) return [el("p", { class: "verdict wrong" }, t("policy.forged"))];
  const version = documents.find(({ document }) => document === shown.document)?.versions.find((one) => one.version === shown.version);
  const since = version?.published_ms ? t("policy.since", { when: dateTime(version.published_ms) }) : "";
  const updated = t("policy.version", { version: shown.version, updated: date(version?.updated ?? "") });
  return [
    el("div", { lang: shown.language }, ...paragraphs(shown.text.split("\n").map((line) => [line, line]))),
    el("p", { class: "hint" }, `${updated} ${since}`.trimEnd()),
    el("p", { class: "digest" }, `SHA-256 ${shown.sha256}`),
  ];
}

/**
 * Lines as elements: the first is the heading, `## ` begins a section, `- ` a point of a list, and
 * `[ ] purpose label` stands for a box.
 * @param {[string, Node | string | Node[]][]} lines the line that says what it is, and its content
 */
function paragraphs(lines) {
  /** @type {HTMLElement[]} */
  const made = [];
  /** @type {HTMLElement | null} */
  let points = null;
  for (const [line, content] of lines) {
    if (!line.trim()) continue;
    const nodes = typeof content === "string" ? [bare(content)] : Array.isArray(content) ? content : [content];
    if (line.startsWith("- ")) {
      if (!points) made.push((points = el("ul", {})));
      points.append(el("li", {}, ...nodes));
      continue;
    }
    points = null;
    const tag = made.length === 0 ? "h2" : line.startsWith("## ") ? "h3" : "p";
    made.push(el(tag, {}, ...nodes));
  }
  return made;
}

/** @param {string} line without the mark that says what it is */
function bare(line) {
  return line.replace(/^(## |- )/, "").replace(/^\[ \] \S+ /, "☐ ");
}

/**
 * @param {HTMLElement} place
 * @param {PolicyDocument[]} documents
 * @param {(error: unknown) => void} failed
 */
function comparing(place, documents, failed) {
  const result = el("div", { class: "changes", "aria-live": "polite" });
  const which = labelled("policy.document", documents.map(({ document }) => [document, sentence("document", document)]));
  const before = labelled("policy.before", []);
  const after = labelled("policy.after", []);
  /** When the texts were published that stand here by their digests. @type {Map<string, string>} */
  const when = new Map();
  const versions = () => documents.find(({ document }) => document === which.select.value)?.versions ?? [];
  const compare = button(t("policy.compare"), async () => {
    try {
      const asked = { document: which.select.value, before: before.select.value, after: after.select.value };
      const found = await get(`/api/policies/changes?${query(asked)}`);
      result.replaceChildren(...compared(found, when.get(asked.before), when.get(asked.after)));
    } catch (error) {
      failed(error);
    }
  });
  const fill = () => {
    // Newest first: the newest is compared with the one before it.
    const named = versions().flatMap(({ version, updated, material, earlier }) => {
      const said = t("policy.version", { version, updated: date(updated) });
      const before = (earlier[language()] ?? []).map(({ sha256: digest, published_ms }) => {
        when.set(digest, dateTime(published_ms));
        return /** @type {[string, string]} */ ([digest, t("policy.earlier", { version, when: dateTime(published_ms) })]);
      });
      return [/** @type {[string, string]} */ ([version, material ? `${said} ${t("policy.material")}` : said]), ...before];
    });
    options(before.select, named.slice(1));
    options(after.select, named.slice(0, -1));
    compare.disabled = named.length < 2;
    result.replaceChildren(named.length < 2 ? el("p", {}, t("policy.one")) : "");
  };
  which.select.addEventListener("change", fill);
  fill();
  const form = el("div", { class: "comparing" }, which.label, before.label, after.label, compare);
  place.replaceChildren(el("summary", {}, t("policy.changes")), form, result);
}

/**
 * @param {string} key
 * @param {[string, string][]} values
 */
function labelled(key, values) {
  const select = el("select", {});
  options(select, values);
  return { select, label: el("label", {}, el("span", {}, t(key)), select) };
}

/**
 * @param {HTMLSelectElement} select
 * @param {[string, string][]} values
 */
function options(select, values) {
  select.replaceChildren(...values.map(([value, text]) => el("option", { value }, text)));
}

/**
 * @param {PolicyChanges} found
 * @param {string} [since] when the one before was published, if it is not the version as it is today
 * @param {string} [until] the same of the one after
 */
function compared({ from, to, language: written, blocks }, since, until) {
  const changed = blocks.filter((block) => block.some(({ kind }) => kind !== "same")).length;
  /** @type {[string, Node[]][]} */
  const lines = blocks.map((block) => [block.map(({ text }) => text).join(""), block.map(marked)]);
  return [
    el("p", { role: "status" }, said(changed, since ? `${from} (${since})` : from, until ? `${to} (${until})` : to)),
    el("p", { class: "hint" }, t("policy.marks")),
    el("div", { lang: written }, ...paragraphs(lines)),
  ];
}

/**
 * Marked by element, by sign and by words: no colour is needed to tell them apart.
 * @param {{kind: string, text: string}} part
 * @param {number} n
 */
function marked({ kind, text }, n) {
  const plain = n === 0 ? bare(text) : text;
  if (kind === "same") return document.createTextNode(plain);
  const sign = kind === "added" ? "+" : "−";
  const spoken = el("span", { class: "quiet" }, sentence("policy", kind));
  return el(kind === "added" ? "ins" : "del", {}, spoken, `[${sign} ${plain} ${sign}]`);
}

/**
 * @param {number} changed how many paragraphs differ
 * @param {string} from
 * @param {string} to
 */
function said(changed, from, to) {
  if (changed === 0) return t("policy.same", { from, to });
  return changed === 1 ? t("policy.changed_one", { from, to }) : t("policy.changed", { n: changed, from, to });
}
