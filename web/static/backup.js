// How old the newest backup is, and one line about it on an admin's page.

/** @import {BackupState} from "./types.js" */

import { get } from "./api.js";
import { byId } from "./dom.js";
import { date, dateTime, language, onLanguage, size, t } from "./i18n.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** @type {BackupState | null} */
let said = null;

/** Ask, and keep the line in the page's language. */
export async function showBackup() {
  onLanguage(draw);
  said = await get("/api/admin/backup");
  draw();
}

/**
 * How long ago the newest backup was made, in words: hours on its first two days.
 * @param {BackupState} state
 */
export function age(state) {
  const ms = Math.max(0, state.now_ms - (state.backup?.made_ms ?? state.now_ms));
  const words = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  if (ms < 2 * DAY_MS) return words.format(-Math.floor(ms / HOUR_MS), "hour");
  return words.format(-Math.floor(ms / DAY_MS), "day");
}

function draw() {
  if (!said) return;
  const last = said.backup;
  let text = t("backup.none");
  if (last) {
    const { recordings, leaves } = last;
    const when = dateTime(last.made_ms);
    text = t("backup.last", { when, age: age(said), recordings, leaves, size: size(last.bytes) });
    if (last.keys_delete_by_ms !== null) {
      const day = new Date(last.keys_delete_by_ms).toISOString().slice(0, 10);
      text += ` ${t("backup.keys", { when: date(day) })}`;
    }
  }
  byId("backup", HTMLElement).textContent = text;
}
