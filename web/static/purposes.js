// The purposes that somebody objects to, each a box; all are ticked at first, and some may be left out.

import { el } from "./dom.js";
import { t } from "./i18n.js";

/**
 * @param {Iterable<string>} ids
 * @param {(purpose: string) => string} labelOf
 */
export function boxes(ids, labelOf) {
  const found = [...new Set(ids)].map((id) => {
    const box = el("input", { type: "checkbox", value: id, checked: true });
    return { box, row: el("label", { class: "tick" }, box, el("span", {}, labelOf(id))) };
  });
  const group = el("fieldset", { class: "plain" }, el("legend", {}, t("rights.purposes")), ...found.map(({ row }) => row));
  return { group, ticked: () => found.filter(({ box }) => box.checked).map(({ box }) => box.value) };
}
