// The customer's page: name, preview, `Join call`; the call; and afterwards what was agreed.

/** @import {About} from "../types.js" */

import { statement } from "../age.js";
import { ApiError, get, post } from "../api.js";
import { copies } from "../copy.js";
import { byId, show } from "../dom.js";
import { Ending } from "../ending.js";
import { language, t } from "../i18n.js";
import { openLobby } from "../lobby.js";
import { Media } from "../media.js";
import { namePurposes } from "../mydata.js";
import { onPreferences } from "../preferences.js";
import { Quality } from "../quality.js";
import { Room } from "../room.js";
import { explain, say, start } from "../shell.js";
import { exposeStats } from "../stats.js";
import { NAME, recall, remember } from "../stored.js";

/** The secrets stay in this page's memory: nothing is stored. */
const invitation = location.hash.slice(1);
let dataUrl = "";
/** @type {Room | null} */
let room = null;
const media = new Media();

await start();
exposeStats(() => room);
/** @type {About} */
const about = await get("/api/about");
namePurposes(about, language);
// Another invitation opened in this tab changes the fragment only. In a call it has to wait.
addEventListener("hashchange", () => (room && !room.over ? undefined : location.reload()));
// With an invitation the seat is only asked for when that has been spent.
let seat = invitation ? null : await ownSeat();
const name = byId("name", HTMLInputElement);
byId("controller", HTMLElement).textContent = about.controller.name;
copies(byId("kept-link", HTMLInputElement), byId("kept-copy", HTMLButtonElement));
const receiptPath = () => "/api/seat/receipt";
const quality = new Quality(() => room, () => "/api/seat/quality");
const ending = new Ending(() => "/api/seat/data-link", receiptPath);
if (invitation || seat) {
  lobby();
} else {
  show(byId("uninvited", HTMLElement), true);
  say(t("join.no_invitation"));
}

function lobby() {
  // Whoever comes back keeps the name under which the others know them.
  if (seat && !invitation) {
    name.value = seat.name;
    name.readOnly = true;
  } else {
    name.value = recall(NAME) ?? "";
  }
  show(byId("lobby", HTMLElement), true);
  if (invitation) statement(about, media);
  openLobby(media, begin, (error) => say(explain(error)));
}

/** The seat that this browser's cookie holds, if the session still goes on. */
async function ownSeat() {
  try {
    const found = await get("/api/seat");
    return found.ended ? null : found;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/**
 * Claim the invitation, only now and only by this click, and go into the call.
 * @param {number} clickedAt
 */
async function begin(clickedAt) {
  const called = name.value.trim();
  name.setAttribute("aria-invalid", String(!called));
  if (!called) {
    say(t("join.name_missing"));
    name.focus();
    return;
  }
  say("");
  if (invitation && !dataUrl) await claim(called);
  show(byId("lobby", HTMLElement), false);
  show(byId("call", HTMLElement), true);
  show(byId("kept", HTMLElement), dataUrl !== "");
  document.body.classList.add("in-call");
  const ticket = (/** @type {AbortSignal} */ signal) => post("/api/seat/ticket", {}, signal);
  room = new Room({ ticket, about, media, agent: false, receiptPath, ended });
  room.start(clickedAt);
  quality.start();
  remember(NAME, called);
  // Allowed only now, in the call.
  onPreferences(() => remember(NAME, called));
}

/** @param {string} called */
async function claim(called) {
  try {
    const claimed = await post("/api/join", { secret: invitation, name: called, language: language(), of_age: about.minimum_age > 0 ? true : null });
    dataUrl = claimed.data_url;
  } catch (error) {
    // Claimed before, by this very browser: the seat is still ours.
    if (!(error instanceof ApiError && error.code === "link.spent")) throw error;
    seat = await ownSeat();
    if (!seat) throw error;
  }
  // The invitation is spent; it need not stay in the address bar for others to read.
  history.replaceState(null, "", location.pathname);
  byId("kept-link", HTMLInputElement).value = dataUrl;
}

/** @param {string} reason */
function ended(reason) {
  quality.end();
  show(byId("kept", HTMLElement), false);
  ending.open(reason, dataUrl, room?.recording.receipt);
}
