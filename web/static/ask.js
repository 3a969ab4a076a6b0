// A dialog with fields, for pages without a call: a text, the fields, one button that does it.

import { button, el } from "./dom.js";
import { t } from "./i18n.js";
import { openModal } from "./modal.js";
import { explain } from "./shell.js";

/**
 * Whether it was done. What goes wrong is said in the dialog, and nothing that was typed is lost.
 * @param {string} title key of the dialog's name and heading
 * @param {string | (Node | string)[]} text key of the sentence under it, or what stands there
 * @param {[string, string, HTMLElement][]} fields id, key of the label, the field; without an id
 *   the field brings its own labels
 * @param {() => Promise<void>} carryOut
 * @param {string} [label] key of the button that does it; the title's by itself
 */
export async function ask(title, text, fields, carryOut, label = title) {
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  let done = false;
  await openModal(t(title), (close) => {
    const cancel = close(t("request.cancel"), "");
    const go = button(t(label), async () => {
      try {
        await carryOut();
        done = true;
        cancel.click();
      } catch (error) {
        hint.textContent = explain(error);
      }
    }, { class: "answer strong" });
    return [
      el("h2", {}, t(title)),
      ...(typeof text === "string" ? [el("p", {}, t(text))] : text),
      ...fields.flatMap(([id, name, field]) => (id ? [el("label", { for: id }, t(name)), field] : [field])),
      hint,
      el("div", { class: "answers" }, go, cancel),
    ];
  });
  return done;
}

/**
 * A field for several lines.
 * @param {string} id
 */
export function lines(id) {
  return el("textarea", { id, rows: 5, maxlength: 4000 });
}
