// A consent notice as its bytes say: line by line, nothing added, nothing left out.

/** @import {NoticeText} from "./types.js" */

import { el, sha256 } from "./dom.js";

/**
 * Whether the text is the one that was announced by its hash.
 * @param {NoticeText} notice
 */
export async function isGenuine(notice) {
  return (await sha256(notice.text)) === notice.sha256;
}

/**
 * The text as elements: the first line is the heading, a line `[ ] <purpose> <label>` a checkbox,
 * the rest paragraphs. `tickable` false: shown as read later, with nothing to tick.
 * @param {string} text
 * @param {string} language
 * @param {boolean} tickable
 */
export function render(text, language, tickable) {
  const [heading = "", ...lines] = text.split("\n");
  const body = el("div", { class: "notice", lang: language }, el("h2", {}, heading));
  /** @type {HTMLElement | null} */
  let group = null;
  for (const line of lines) {
    const box = /^\[ \] (\S+) (.*)$/.exec(line);
    if (!box) {
      if (line.trim()) body.append(el("p", {}, line));
      continue;
    }
    if (!group) body.append((group = el("div", { class: "purposes", role: "group" })));
    group.append(purpose(box[1] ?? "", box[2] ?? "", tickable));
  }
  const before = group?.previousElementSibling;
  if (group && before) {
    before.id = `purposes-${Math.random().toString(36).slice(2)}`;
    group.setAttribute("aria-labelledby", before.id);
  }
  return body;
}

/**
 * @param {string} id
 * @param {string} label
 * @param {boolean} tickable
 */
function purpose(id, label, tickable) {
  if (!tickable) return el("p", {}, `☐ ${label}`);
  return el("label", { class: "tick" }, el("input", { type: "checkbox", value: id }), el("span", {}, label));
}

/**
 * The purposes that are ticked.
 * @param {HTMLElement} body
 */
export function ticked(body) {
  const boxes = body.querySelectorAll("input[type=checkbox]:checked");
  return [...boxes].map((box) => (box instanceof HTMLInputElement ? box.value : ""));
}
