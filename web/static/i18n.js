// What the pages say, by language. A language is a file in language/.

import { BASE } from "./base.js";

/** Each in its own language, as the select shows it. Adding a language is a file and a line here. */
export const LANGUAGES = { en: "English", de: "Deutsch" };

/** @type {Record<string, string>} */
let texts = {};
let current = "en";
const changed = new EventTarget();

/** The language in use. */
export function language() {
  return current;
}

/**
 * The text of this key, with `{name}` places filled.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * The sentence for a stable code, or the `other` one of that group: a newer server may know more.
 * @param {string} group
 * @param {string} code
 * @param {Record<string, string | number>} [values]
 */
export function sentence(group, code, values = {}) {
  const key = `${group}.${code}`;
  return t(key in texts ? key : `${group}.other`, { code, ...values });
}

/**
 * Call when the language has changed.
 * @param {() => void} listener
 */
export function onLanguage(listener) {
  changed.addEventListener("change", listener);
}

/** The first language of the browser's wishes that there is. */
export function wished() {
  for (const tag of navigator.languages) {
    const base = tag.toLowerCase().split("-")[0] ?? "";
    if (base in LANGUAGES) return base;
  }
  return "en";
}

/**
 * The texts that came with the page: one that may not connect to anything has them in itself.
 * @param {string} name
 * @returns {Record<string, string> | null}
 */
function embedded(name) {
  const found = document.getElementById(`texts-${name}`);
  return found ? JSON.parse(found.textContent ?? "") : null;
}

/** Whether this page came with its texts because it may connect to nothing. */
export function isAlone() {
  return document.getElementById("texts-en") !== null;
}

/** @param {string} name */
async function fetched(name) {
  const response = await fetch(`${BASE}/static/language/${name}.json`);
  if (!response.ok) throw new Error(`The texts for ${name} could not be loaded`);
  return response.json();
}

/**
 * Switch the page, and everything that listens, to this language.
 * @param {string} name
 */
export async function setLanguage(name) {
  const wanted = name in LANGUAGES ? name : "en";
  texts = embedded(wanted) ?? (await fetched(wanted));
  current = wanted;
  document.documentElement.lang = wanted;
  translate(document);
  changed.dispatchEvent(new Event("change"));
}

/**
 * Fill every element below `root` that names its text: `data-t` its content, `data-t-label` its
 * accessible name, `data-t-title` also its tooltip.
 * @param {ParentNode} root
 */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) {
    element.textContent = t(element.getAttribute("data-t") ?? "");
  }
  for (const element of root.querySelectorAll("[data-t-label]")) {
    const text = t(element.getAttribute("data-t-label") ?? "");
    element.setAttribute("aria-label", text);
    if (element instanceof HTMLButtonElement) element.title = text;
  }
}

/** The language as the browser wishes it: British English writes a date unlike American. */
function region() {
  return navigator.languages.find((tag) => tag.toLowerCase().split("-")[0] === current) ?? current;
}

/** @param {number} ms since the Unix epoch */
export function dateTime(ms) {
  return new Intl.DateTimeFormat(region(), { dateStyle: "medium", timeStyle: "medium" }).format(ms);
}

/** @param {string} day such as 2026-11-22, wherever it is read */
export function date(day) {
  const at = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(at) ? day : new Intl.DateTimeFormat(region(), { dateStyle: "long", timeZone: "UTC" }).format(at);
}

/** @param {number} ms since the Unix epoch */
export function timeOfDay(ms) {
  return new Intl.DateTimeFormat(region(), { timeStyle: "medium" }).format(ms);
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/**
 * A file's size in words.
 * @param {number} bytes
 */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let at = 0;
  let number = bytes;
  while (number >= 1000 && at < units.length - 1) {
    number /= 1000;
    at += 1;
  }
  const maximumFractionDigits = at && number < 10 ? 1 : 0;
  return new Intl.NumberFormat(region(), { style: "unit", unit: units[at], maximumFractionDigits }).format(number);
}

/** @param {string[]} items */
export function list(items) {
  return new Intl.ListFormat(current, { type: "conjunction" }).format(items);
}
