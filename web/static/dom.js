// Small helpers for the document. Nothing here takes HTML from a string.

import { BASE } from "./base.js";

/**
 * The element with this id; throws when the page has none, or one of another kind.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} #${id}`);
  return found;
}

/**
 * A new element. `attributes`: strings are set, `true` sets an empty one, false and undefined set
 * nothing. Children that are strings become text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A button that does something. While a promise that it returned is pending it does not start again.
 * @param {string} label
 * @param {() => unknown} action
 * @param {Record<string, string | boolean | undefined>} [attributes]
 */
export function button(label, action, attributes = {}) {
  const made = el("button", { type: "button", ...attributes }, label);
  onClick(made, action);
  return made;
}

/**
 * A button of the page's own HTML is disabled until here: a click before it could do something
 * would be lost.
 * @param {HTMLElement} element
 * @param {() => unknown} action
 */
export function onClick(element, action) {
  let busy = false;
  if (element instanceof HTMLButtonElement) element.disabled = false;
  element.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    try {
      await action();
    } finally {
      busy = false;
    }
  });
}

/**
 * Say something to a screen reader, politely, and to nobody else.
 * @param {string} text
 */
export function announce(text) {
  let region = document.getElementById("announcer");
  if (!region) {
    region = el("div", { id: "announcer", class: "quiet", "aria-live": "polite" });
    document.body.append(region);
  }
  region.textContent = text;
}

/**
 * @param {HTMLElement} element
 * @param {boolean} shown
 */
export function show(element, shown) {
  element.hidden = !shown;
}

/**
 * A line icon from the page's own set, for the eye only.
 * @param {string} name
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${BASE}/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Random text, for idempotency keys. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/**
 * The SHA-256 of a text's UTF-8 bytes, in hex.
 * @param {string} text
 */
export async function sha256(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
