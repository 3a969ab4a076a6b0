// A read-only text box with a button that copies it.

import { onClick } from "./dom.js";
import { t } from "./i18n.js";

/**
 * @param {HTMLInputElement} field
 * @param {HTMLButtonElement} trigger
 */
export function copies(field, trigger) {
  onClick(trigger, async () => {
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // Not permitted here: mark it, so that the keyboard can copy it.
      field.select();
      return;
    }
    trigger.textContent = t("copy.done");
    setTimeout(() => (trigger.textContent = t("copy.copy")), 2_000);
  });
  field.addEventListener("focus", () => field.select());
}
