// What this browser keeps between visits. The one file that touches localStorage.
//
// Nothing is kept or read but what the server's registry names, and only while a choice allows its
// class. What is not allowed any more goes at once, in every tab that is open.

/** @import {Preferences, StoredItem} from "./types.js" */

export const LANGUAGE = "avsession-language";
export const DEVICES = "avsession-devices";
export const NAME = "avsession-name";
/** A refusal that the server has not heard of yet: it is kept, so that it holds meanwhile. */
const REFUSED = "avsession-refused";
/** What is ours in this browser's storage, older versions' items among it. */
const PREFIX = "avsession-";
/** Characters of an item; none needs more. */
const MOST = 1000;

/** @type {StoredItem[]} */
let items = [];
/** @type {Set<string>} */
let allowed = new Set();
/** Where nothing can be asked of the server, what is there may be read, and nothing is written. */
let readOnly = false;

/**
 * What the server says of this browser: from now on that is so.
 * @param {Pick<Preferences, "items" | "allowed">} said
 */
export function adopt(said) {
  items = said.items;
  allow(said.allowed);
}

/**
 * These classes and no others, from now on.
 * @param {readonly string[]} groups
 */
export function allow(groups) {
  readOnly = false;
  allowed = new Set(groups);
  for (const name of names()) {
    if (name.startsWith(PREFIX) && name !== REFUSED && !may(name)) tried(() => localStorage.removeItem(name));
  }
}

/** A page that may connect to nothing: what is kept was allowed, or it would not be there. */
export function readAlone() {
  readOnly = !("globalPrivacyControl" in navigator && navigator.globalPrivacyControl);
}

/**
 * Whether anything of this class may be kept or sent.
 * @param {string} group
 */
export function allows(group) {
  return allowed.has(group);
}

/**
 * What is kept under this name, or null.
 * @param {string} name
 */
export function recall(name) {
  if (!readOnly && !may(name)) return null;
  const value = tried(() => localStorage.getItem(name)) ?? null;
  return value !== null && value.length <= MOST ? value : null;
}

/**
 * Keep this, if it is allowed; an empty value is kept by keeping nothing.
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  if (!may(name) || value.length > MOST) return;
  tried(() => (value ? localStorage.setItem(name, value) : localStorage.removeItem(name)));
}

/**
 * What is left allowed by a refusal that could not be said yet; null when there is none.
 * @returns {string[] | null}
 */
export function refusal() {
  const left = tried(() => localStorage.getItem(REFUSED)) ?? null;
  return left === null ? null : left.split(" ").filter(Boolean);
}

/**
 * Keep a refusal until it has been said; null: it has.
 * @param {readonly string[] | null} left what is left allowed
 */
export function keepRefusal(left) {
  tried(() => (left ? localStorage.setItem(REFUSED, left.join(" ")) : localStorage.removeItem(REFUSED)));
}

/** @param {string} name */
function may(name) {
  const item = items.find((one) => one.name === name && one.kind === "local");
  return item !== undefined && allowed.has(item.group);
}

function names() {
  return tried(() => Object.keys(localStorage)) ?? [];
}

/**
 * A window may be forbidden to keep anything; then nothing is kept.
 * @template T
 * @param {() => T} action
 */
function tried(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}
