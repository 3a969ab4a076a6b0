// When the newest backup was made, its age and what it holds: one line of an admin's page.

import { get } from "./api.js";
import { byId } from "./dom.js";
import { date, dateTime, onLanguage, size, t } from "./i18n.js";

const DAY_MS = 86_400_000;

/** @type {{now_ms: number, backup: import("./types.js").LastBackup | null} | null} */
let said = null;

/** Ask, and keep the line in the page's language. */
export async function showBackup() {
  onLanguage(draw);
  said = await get("/api/admin/backup");
  draw();
}

function draw() {
  if (!said) return;
  const last = said.backup;
  let text = t("backup.none");
  if (last) {
    const days = Math.max(0, Math.floor((said.now_ms - last.made_ms) / DAY_MS));
    const { recordings, leaves } = last;
    text = t("backup.last", { when: dateTime(last.made_ms), days, recordings, leaves, size: size(last.bytes) });
    if (last.keys_delete_by_ms !== null) {
      const day = new Date(last.keys_delete_by_ms).toISOString().slice(0, 10);
      text += ` ${t("backup.keys", { when: date(day) })}`;
    }
  }
  byId("backup", HTMLElement).textContent = text;
}
