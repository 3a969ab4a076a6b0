// A modal dialog, for pages without a call. Escape closes it without a choice.

import { button, el } from "./dom.js";

/**
 * @param {string} name its accessible name
 * @param {(close: (label: string, value: string) => HTMLButtonElement) => (Node | string)[]} fill
 *   makes the content; `close` makes a button that ends the dialog with a value
 * @returns {Promise<string>} the value; "" when it was closed without one
 */
export function openModal(name, fill) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-label": name });
    const close = (/** @type {string} */ label, /** @type {string} */ value) =>
      button(label, () => dialog.close(value), { class: "answer" });
    dialog.append(...fill(close));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
