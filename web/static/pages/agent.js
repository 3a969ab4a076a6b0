// The agent's page: make a session, hand its link over, join it; or go back to one of one's own.

/** @import {About, OwnSession} from "../types.js" */

import { get, post } from "../api.js";
import { copies } from "../copy.js";
import { byId, button, el, onClick, show } from "../dom.js";
import { Ending } from "../ending.js";
import { dateTime, language, list, onLanguage, t } from "../i18n.js";
import { openLobby } from "../lobby.js";
import { Media } from "../media.js";
import { namePurposes } from "../mydata.js";
import { Quality } from "../quality.js";
import { Room } from "../room.js";
import { explain, say, start } from "../shell.js";
import { exposeStats } from "../stats.js";
import { signOutButton } from "../account.js";

let session = "";
/** @type {OwnSession[]} */
let own = [];
/** @type {Room | null} */
let room = null;

await start();
exposeStats(() => room);
/** @type {About} */
const about = await get("/api/about");
await signOutButton();
namePurposes(about, language);
const receiptPath = () => `/api/sessions/${session}/receipt`;
const quality = new Quality(() => room, () => `/api/sessions/${session}/quality`);
const ending = new Ending(() => `/api/sessions/${session}/data-link`, receiptPath);
copies(byId("invitation", HTMLInputElement), byId("copy", HTMLButtonElement));
onClick(byId("new-session", HTMLButtonElement), guarded(create));
onClick(byId("again", HTMLButtonElement), () => location.reload());
onLanguage(drawSessions);
await guarded(refresh)();

/**
 * @param {() => Promise<void>} action
 */
function guarded(action) {
  return async () => {
    try {
      say("");
      await action();
    } catch (error) {
      say(explain(error));
    }
  };
}

async function create() {
  const made = await post("/api/sessions", { language: language() });
  byId("invitation", HTMLInputElement).value = made.invitation_url;
  byId("expires", HTMLElement).textContent = t("agent.expires", { when: dateTime(made.expires_ms) });
  show(byId("hand-over", HTMLElement), true);
  enter(made.session);
}

/** @param {string} chosen */
function enter(chosen) {
  session = chosen;
  show(byId("start", HTMLElement), false);
  show(byId("lobby", HTMLElement), true);
  const media = new Media();
  openLobby(media, async (clickedAt) => begin(media, clickedAt), (error) => say(explain(error)));
  byId("join", HTMLButtonElement).focus();
}

/**
 * @param {Media} media
 * @param {number} clickedAt
 */
function begin(media, clickedAt) {
  const ticket = (/** @type {AbortSignal} */ signal) => post(`/api/sessions/${session}/ticket`, {}, signal);
  show(byId("lobby", HTMLElement), false);
  show(byId("call", HTMLElement), true);
  document.body.classList.add("in-call");
  room = new Room({ ticket, about, media, agent: true, receiptPath, ended, met });
  room.start(clickedAt);
  quality.start();
}

/** The invitation was used; handed out again, it would open nothing. */
function met() {
  show(byId("hand-over", HTMLElement), false);
}

/** @param {string} reason */
function ended(reason) {
  quality.end();
  show(byId("hand-over", HTMLElement), false);
  ending.open(reason, "", room?.recording.receipt);
}

async function refresh() {
  own = (await get("/api/sessions")).sessions;
  drawSessions();
}

function drawSessions() {
  const place = byId("sessions", HTMLElement);
  show(byId("sessions-part", HTMLElement), own.length > 0);
  place.replaceChildren(...own.map(item));
}

/** @param {OwnSession} one */
function item(one) {
  const there = one.parties.filter(({ presence }) => presence).map(({ name }) => name);
  const state = one.ended_ms ? t("agent.ended") : there.length ? list(there) : t("agent.nobody");
  const row = el("li", {}, el("span", {}, `${dateTime(one.created_ms)} · ${state}`));
  if (one.ended_ms) return row;
  row.append(button(t("agent.return"), () => enter(one.session)));
  if (one.invitation_state === "open") {
    const revoke = guarded(async () => {
      await post(`/api/sessions/${one.session}/invitation/revoke`);
      await refresh();
    });
    row.append(button(t("agent.revoke"), revoke, { class: "plain" }));
  }
  const end = guarded(async () => {
    await post(`/api/sessions/${one.session}/end`);
    await refresh();
  });
  row.append(button(t("agent.end_session"), end, { class: "plain" }));
  return row;
}
