// For the admin: how good calls were, as counts of ranges. A bar for the eye, a number for everyone.

/** @import {QualityStatistics} from "./types.js" */

import { get } from "./api.js";
import { el } from "./dom.js";
import { onLanguage, sentence, t } from "./i18n.js";

/**
 * Filled when it is opened, and again in another language.
 * @param {HTMLDetailsElement} place
 * @param {(error: unknown) => void} failed
 */
export function showQuality(place, failed) {
  /** @type {QualityStatistics | null} */
  let found = null;
  const draw = () => found && place.lastElementChild?.replaceChildren(...content(found));
  place.addEventListener("toggle", async () => {
    if (!place.open) return;
    try {
      found = await get("/api/admin/quality");
      draw();
    } catch (error) {
      failed(error);
    }
  });
  onLanguage(draw);
}

/** @param {QualityStatistics} found */
function content({ days, enough, needed, figures }) {
  const calls = days.reduce((sum, day) => sum + day.calls, 0);
  const told = [el("p", {}, t("quality.explain")), el("p", {}, t("quality.calls", { calls, days: days.length }))];
  if (!enough) return [...told, el("p", { class: "hint" }, t("quality.few", { needed }))];
  const tables = figures.map(({ figure, unit, bounds, calls: counts }) => {
    const all = counts.reduce((sum, one) => sum + one, 0);
    return el(
      "table",
      { class: "counts" },
      el("caption", {}, sentence("figure", figure)),
      el("tbody", {}, ...counts.map((count, n) => row(range(bounds, n, unit), count, all))),
    );
  });
  return [...told, el("div", { class: "counts-place" }, ...tables)];
}

/**
 * @param {string} label
 * @param {number} count
 * @param {number} all
 */
function row(label, count, all) {
  // The number says it; the bar is for the eye only.
  const bar = el("meter", { value: count, max: Math.max(all, 1), "aria-hidden": "true" });
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, label),
    el("td", { class: "share" }, bar),
    el("td", { class: "number" }, String(count)),
  );
}

/**
 * @param {number[]} bounds
 * @param {number} n
 * @param {string} unit
 */
function range(bounds, n, unit) {
  const from = bounds[n - 1];
  const to = bounds[n];
  const plain = (/** @type {number} */ one) => (unit === "permille" ? one / 10 : one);
  const value = (/** @type {number} */ one) => sentence("unit", unit, { n: plain(one) });
  if (from === undefined) return t("quality.below", { to: value(to ?? 0) });
  if (to === undefined) return t("quality.above", { from: value(from) });
  return t("quality.between", { from: plain(from), to: value(to) });
}
