// Backups: how the newest stands, what came since, and the commands. Nothing is done from here.

/** @import {BackupState} from "../types.js" */

import { signOutButton } from "../account.js";
import { get } from "../api.js";
import { age } from "../backup.js";
import { byId, el, show } from "../dom.js";
import { date, dateTime, onLanguage, sentence, size, t } from "../i18n.js";
import { guarded, start } from "../shell.js";

const EVERY_MS = 15_000;
/** So many erasures stand for more. */
const MOST = 1000;
/** @type {BackupState | null} */
let state = null;

await start();
await signOutButton();
onLanguage(draw);
setInterval(() => void look().catch(() => undefined), EVERY_MS);
await guarded(look);

async function look() {
  state = await get("/api/admin/backup");
  draw();
}

function draw() {
  if (!state) return;
  const { backup, since, problems, days } = state;
  const sign = byId("sign", HTMLElement);
  const text = problems.length
    ? `✗ ${problems.map((code) => sentence("backup.problem", code, { days })).join(" ")}`
    : `✓ ${t(backup ? "backup.ok" : "backup.elsewhere", { age: backup ? age(state) : "" })}`;
  sign.classList.toggle("wrong", problems.length > 0);
  if (sign.textContent !== text) sign.textContent = text;
  byId("newest", HTMLElement).replaceChildren(...(backup ? newest(backup) : []));
  show(byId("no-newest", HTMLElement), backup === null);
  show(byId("since", HTMLElement), since !== null);
  byId("later", HTMLElement).replaceChildren(...(since ? later(since, state.leaves) : []));
  const name = backup?.to ?? "NAME";
  byId("create", HTMLElement).textContent = `avsession backup create --to /backup/${today()}`;
  byId("check", HTMLElement).textContent = `avsession backup check /backup/${name}`;
  byId("restore", HTMLElement).textContent =
    `avsession backup restore /backup/${name} --data NEW --erasures ANCHOR`;
}

function today() {
  return new Date(state?.now_ms ?? 0).toISOString().slice(0, 10);
}

/** @param {import("../types.js").LastBackup} last */
function newest(last) {
  const { sessions, recordings, segments } = last;
  let checked = t("backup.unchecked");
  if (last.checked_ms !== null) {
    checked = t(last.whole ? "backup.whole" : "backup.broken", { when: dateTime(last.checked_ms) });
  }
  let keys = t("backup.no_keys");
  if (last.keys !== null && last.keys_delete_by_ms !== null) {
    const day = new Date(last.keys_delete_by_ms).toISOString().slice(0, 10);
    keys = t("backup.with_keys", { keys: last.keys, when: date(day) });
  }
  return [
    ...fact("backup.name", last.to),
    ...fact("backup.made", `${dateTime(last.made_ms)} (${state ? age(state) : ""})`),
    ...fact("backup.checked", checked),
    ...fact("backup.holds", t("backup.figures", { sessions, recordings, segments, size: size(last.bytes) })),
    ...fact("backup.log", String(last.leaves)),
    ...fact("backup.key_store", keys),
  ];
}

/**
 * @param {import("../types.js").SinceBackup} since
 * @param {number} leaves
 */
function later(since, leaves) {
  return [
    ...fact("backup.grown", t("backup.grown_by", { more: since.leaves, leaves })),
    ...fact("backup.erased", t("backup.erased_again", { count: atMost(since.erased) })),
    ...fact("backup.by_hand", t("backup.by_hand_only", { count: atMost(since.by_hand) })),
  ];
}

/** @param {number} count */
function atMost(count) {
  return count >= MOST ? t("backup.or_more", { count }) : String(count);
}

/**
 * @param {string} name
 * @param {string} value
 */
function fact(name, value) {
  return [el("dt", {}, t(name)), el("dd", {}, value)];
}
