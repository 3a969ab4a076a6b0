// The admin's page: sessions and their stories, recordings and their player.

/** @import {About, AdminRecording, AdminSession, AdminSessionDetail, DeskFigures, StandingHold, Timeline} from "../types.js" */

import { signOutButton } from "../account.js";
import { get } from "../api.js";
import { reminder } from "../desk.js";
import { byId, button, el, onClick, show } from "../dom.js";
import { standing } from "../hold.js";
import { dateTime, duration, language, list, onLanguage, sentence, t } from "../i18n.js";
import { openRecording } from "../open.js";
import { explain, guarded, say, start } from "../shell.js";
import { accounts, follow } from "../staff.js";
import { passkeys } from "../passkeys.js";
import { showQuality } from "../quality_counts.js";
import { showArchived, story } from "../story.js";
import { cell, timeline } from "../timeline.js";

const PAGE = 50;
/** @type {AdminSession[]} */
let sessions = [];
/** @type {AdminRecording[]} */
let recordings = [];
/** @type {AdminSessionDetail | null} */
let shown = null;
/** @type {Timeline | null} */
let drawn = null;
/** @type {StandingHold[]} */
let held = [];
/** @type {DeskFigures | null} */
let figures = null;
let more = { sessions: false, recordings: false };

await start();
/** @type {About} */
const about = await get("/api/about");
const me = (await signOutButton()).account;
follow(me);
onClick(byId("more-sessions", HTMLButtonElement), () => guarded(moreSessions));
onClick(byId("more-recordings", HTMLButtonElement), () => guarded(moreRecordings));
onClick(byId("refresh", HTMLButtonElement), () => guarded(reload));
onLanguage(draw);
showQuality(byId("quality", HTMLDetailsElement), (error) => say(explain(error)));
await guarded(reload);
await guarded(passkeys);

async function reload() {
  sessions = [];
  recordings = [];
  figures = await get("/api/admin/requests/figures");
  held = (await get("/api/admin/holds")).holds;
  await Promise.all([moreSessions(), moreRecordings(), accounts(me)]);
}

async function moreSessions() {
  const before = sessions.at(-1)?.created_ms;
  const page = (await get(`/api/admin/sessions?${query(before)}`)).sessions;
  sessions.push(...page);
  more.sessions = page.length === PAGE;
  draw();
}

async function moreRecordings() {
  const before = recordings.at(-1)?.created_ms;
  const page = (await get(`/api/admin/recordings?${query(before)}`)).recordings;
  recordings.push(...page);
  more.recordings = page.length === PAGE;
  draw();
}

/** @param {number | undefined} before */
function query(before) {
  return new URLSearchParams({ limit: String(PAGE), ...(before ? { before: String(before) } : {}) });
}

function draw() {
  byId("recordings", HTMLElement).replaceChildren(...recordings.map(recordingRow));
  byId("sessions", HTMLElement).replaceChildren(...sessions.map(sessionRow));
  show(byId("no-recordings", HTMLElement), recordings.length === 0);
  show(byId("no-sessions", HTMLElement), sessions.length === 0);
  show(byId("more-sessions", HTMLElement), more.sessions);
  show(byId("more-recordings", HTMLElement), more.recordings);
  const waiting = byId("reminder", HTMLElement);
  waiting.textContent = figures ? reminder(figures) : "";
  waiting.classList.toggle("late", figures !== null && figures.late > 0);
  byId("holds", HTMLElement).replaceChildren(...standing(held, (session) => guarded(() => open(session))));
  show(byId("held", HTMLElement), held.length > 0);
  const due = held.filter((one) => one.due).length;
  byId("reviews", HTMLElement).textContent = due ? t("hold.due", { n: due }) : "";
  const place = byId("story", HTMLElement);
  show(place, shown !== null);
  const picture = byId("timeline", HTMLElement);
  show(picture, drawn !== null);
  if (drawn) picture.replaceChildren(...timeline(drawn));
  const purposes = about.purposes.map(({ id }) => id);
  if (shown) place.replaceChildren(...story(shown, purposes, labelOf, showNotice, again, (error) => say(explain(error))));
}

/** @param {string} id of a purpose */
function labelOf(id) {
  const found = about.purposes.find((one) => one.id === id);
  return found?.label[language()] ?? found?.label["en"] ?? id;
}

/** @param {AdminRecording} one */
function recordingRow(one) {
  const names = one.parties.map(({ name, role }) => `${name || t("admin.nobody")} (${sentence("role", role)})`);
  const play = button(t("admin.play"), () => openRecording(one, labelOf));
  play.disabled = !one.playable;
  const line = button(t("timeline.show"), () => guarded(() => draws(one.recording)));
  line.disabled = one.restricted;
  return el(
    "tr",
    {},
    cell("admin.when", dateTime(one.created_ms)),
    cell("admin.session", button(short(one.session), () => guarded(() => open(one.session)), { class: "link" })),
    cell("admin.parties", list(names)),
    cell("admin.purposes", list(one.purposes.map(labelOf))),
    cell("admin.state", `${sentence("state", one.state)}${one.restricted ? ` · ${t("admin.restricted")}` : ""}`),
    cell("admin.duration", duration(one.duration_ms), "number"),
    cell("admin.watch", el("div", { class: "row-buttons" }, play, line)),
  );
}

/** @param {AdminSession} one */
function sessionRow(one) {
  const names = one.parties.map(({ name, role }) => `${name || t("admin.nobody")} (${sentence("role", role)})`);
  return el(
    "tr",
    {},
    cell("admin.when", dateTime(one.created_ms)),
    cell("admin.session", button(short(one.session), () => guarded(() => open(one.session)), { class: "link" })),
    cell("admin.parties", list(names)),
    cell("admin.ended", one.ended_ms ? sentence("ended", one.end_reason ?? "other") : t("mydata.still_on")),
    cell("admin.requests", String(one.requests), "number"),
    cell("admin.recordings_n", String(one.recordings), "number"),
  );
}

/**
 * Enough of an identifier to tell two apart; the whole one is in the story.
 * @param {string} id
 */
function short(id) {
  return id.slice(4, 12);
}

/** @param {string} session */
async function open(session) {
  shown = await get(`/api/admin/sessions/${session}`);
  draw();
  const place = byId("story", HTMLElement);
  place.focus();
  place.scrollIntoView({ block: "start" });
}

/** What is shown has changed: fetch it and the lists again. */
function again() {
  return guarded(async () => {
    if (shown) shown = await get(`/api/admin/sessions/${shown.session}`);
    await reload();
  });
}

/**
 * @param {string} sha256
 * @param {string} written the notice's language
 */
function showNotice(sha256, written) {
  return guarded(() => showArchived(sha256, written));
}

/** @param {string} recording */
async function draws(recording) {
  drawn = await get(`/api/admin/recordings/${recording}/timeline`);
  draw();
  const place = byId("timeline", HTMLElement);
  place.focus();
  place.scrollIntoView({ block: "start" });
}
