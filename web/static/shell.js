// What every page has: its language, its select, and a sentence when something went wrong.

import { ApiError } from "./api.js";
import { byId, el } from "./dom.js";
import { LANGUAGES, isAlone, language, sentence, setLanguage, t, translate, wished } from "./i18n.js";
import { loadPreferences, offer, onPreferences } from "./preferences.js";
import { LANGUAGE, recall, remember } from "./stored.js";

/** Make the page readable. Call first; the page is hidden until its texts are there. */
export async function start() {
  // Whatever nobody caught is said, rather than leaving a page that does nothing.
  addEventListener("unhandledrejection", ({ reason }) => say(explain(reason)));
  const select = byId("language", HTMLSelectElement);
  for (const [name, own] of Object.entries(LANGUAGES)) {
    select.append(el("option", { value: name, lang: name }, own));
  }
  select.addEventListener("change", () => void switchLanguage(select.value));
  await Promise.all([loadPreferences(isAlone()), setLanguage(wished())]);
  const kept = recall(LANGUAGE);
  if (kept && kept !== language()) await setLanguage(kept);
  select.value = language();
  onPreferences(() => language() !== wished() && remember(LANGUAGE, language()));
  offer((error) => say(explain(error)));
  document.documentElement.classList.remove("loading");
}

/**
 * The person chose a language, here or in the consent dialog: show it, and remember it if allowed.
 * @param {string} name
 */
export async function switchLanguage(name) {
  await setLanguage(name);
  remember(LANGUAGE, language());
  byId("language", HTMLSelectElement).value = language();
}

/**
 * A sentence for what went wrong.
 * @param {unknown} error
 */
export function explain(error) {
  if (error instanceof ApiError) return sentence("error", error.code);
  console.error(error);
  return t("error.other");
}

/**
 * Show a sentence, or nothing, in the page's place for it.
 * @param {string} text
 */
export function say(text) {
  const place = byId("message", HTMLElement);
  place.textContent = text;
}

/**
 * Do what somebody asked for; what goes wrong is said, and what was said before goes.
 * @param {() => Promise<unknown>} action
 */
export async function guarded(action) {
  try {
    say("");
    await action();
  } catch (error) {
    say(explain(error));
  }
}

/**
 * A copy of a <template>, translated.
 * @param {string} id
 */
export function stamp(id) {
  const copy = byId(id, HTMLTemplateElement).content.cloneNode(true);
  if (!(copy instanceof DocumentFragment)) throw new Error("not a template");
  translate(copy);
  return copy;
}
