// The cookie page: the registry as the server has it, and the choice about it.

/** @import {StoredItem} from "../types.js" */

import { byId, el } from "../dom.js";
import { list, onLanguage, sentence, t } from "../i18n.js";
import { drawSettings, onPreferences, preferences } from "../preferences.js";
import { explain, say, start } from "../shell.js";

const GROUPS = ["necessary", "preferences", "analytics", "marketing"];
const DAY_S = 86_400;
const HOUR_S = 3600;

await start();
onLanguage(draw);
onPreferences(draw);
draw();

function draw() {
  const known = preferences();
  if (!known) {
    say(t("preferences.unknown"));
    return;
  }
  drawSettings(byId("choices", HTMLElement), (error) => say(error ? explain(error) : t("preferences.saved")));
  byId("items", HTMLElement).replaceChildren(
    ...GROUPS.map((group) => section(group, known.items.filter((item) => item.group === group))),
    el("p", { class: "hint" }, t("cookies.version", { version: known.version, policy: known.policy })),
  );
}

/**
 * @param {string} group
 * @param {StoredItem[]} items
 */
function section(group, items) {
  const heading = el("h3", {}, t(`preferences.name_${group}`));
  const explained = el("p", {}, t(`preferences.group_${group}`));
  if (items.length === 0) return el("section", {}, heading, el("p", {}, t("preferences.no_marketing")));
  return el("section", {}, heading, explained, el("ul", { class: "cards" }, ...items.map(card)));
}

/** @param {StoredItem} item */
function card(item) {
  const facts = [
    ["cookies.purpose", sentence("stored", item.purpose)],
    ["cookies.place", sentence("stored_in", item.kind)],
    ["cookies.lifetime", lifetime(item)],
    ["cookies.seen_by", sentence("seen_by", item.seen_by)],
  ];
  return el(
    "li",
    { "data-item": item.name },
    el("code", {}, item.name),
    el("dl", {}, ...facts.flatMap(([key = "", said = ""]) => [el("dt", {}, t(key)), el("dd", {}, said)])),
  );
}

/** @param {StoredItem} item */
function lifetime({ kind, seconds, group }) {
  if (seconds === null) return t("lifetime.window");
  const parts = [];
  const days = Math.floor(seconds / DAY_S);
  const hours = Math.floor((seconds % DAY_S) / HOUR_S);
  const minutes = Math.ceil((seconds % HOUR_S) / 60);
  if (days) parts.push(days === 1 ? t("lifetime.day") : t("lifetime.days", { n: days }));
  if (hours && days < 2) parts.push(hours === 1 ? t("lifetime.hour") : t("lifetime.hours", { n: hours }));
  if (minutes && !days) parts.push(minutes === 1 ? t("lifetime.minute") : t("lifetime.minutes", { n: minutes }));
  const long = list(parts);
  if (kind === "report") return t("lifetime.counts", { long });
  return group === "necessary" ? t("lifetime.most", { long }) : t("lifetime.until_refused", { long });
}
