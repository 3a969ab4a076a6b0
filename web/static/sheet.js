// Dialogs over a running call. They are not modal: mute and end stay within reach, of the mouse
// and of the keyboard, and the call stays visible. Escape is no answer, so it does nothing.

import { byId, el } from "./dom.js";
import { t } from "./i18n.js";

/** So many pixels below hide nothing. */
const HARDLY = 12;

/**
 * Open a dialog in the page's place for them and move the focus into it.
 * @param {string} name its accessible name
 * @param {...(Node | string)} content
 * @returns {HTMLElement}
 */
export function openSheet(name, ...content) {
  const sheet = el("section", { role: "dialog", class: "sheet", "aria-label": name, tabindex: -1 });
  sheet.append(...content);
  // For the eye alone: a screen reader reads what is below without being told.
  sheet.querySelector(".foot")?.append(el("p", { class: "below", "aria-hidden": "true" }, t("sheet.below")));
  byId("sheets", HTMLElement).append(sheet);
  sheet.focus({ preventScroll: true });
  pointBelow(sheet);
  return sheet;
}

/**
 * Say that there is more below the answers' edge, as long as there is.
 * @param {HTMLElement} sheet
 */
function pointBelow(sheet) {
  const look = () => {
    const left = sheet.scrollHeight - sheet.clientHeight - sheet.scrollTop;
    sheet.classList.toggle("more", left > HARDLY);
  };
  sheet.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(sheet);
  look();
}

/**
 * Close it; the focus goes back into the call rather than nowhere.
 * @param {HTMLElement | null} sheet
 */
export function closeSheet(sheet) {
  if (!sheet?.isConnected) return;
  const inside = sheet.contains(document.activeElement);
  sheet.remove();
  if (inside) document.getElementById("call")?.focus({ preventScroll: true });
}

/**
 * Count down to a moment, twice a second; stops by itself at zero or when the sheet is gone.
 * @param {HTMLElement} sheet
 * @param {() => number} end performance.now() of the end; may move
 * @param {(seconds: number) => void} each
 */
export function countdown(sheet, end, each) {
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((end() - performance.now()) / 1000));
    if (!sheet.isConnected) clearInterval(timer);
    else each(seconds);
  };
  const timer = setInterval(tick, 500);
  tick();
}
