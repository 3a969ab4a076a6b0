// The customer's page: name, preview, `Join call`; the call; and afterwards what was agreed.

/** @import {About} from "../types.js" */

import { ApiError, get, post } from "../api.js";
import { copies } from "../copy.js";
import { byId, show } from "../dom.js";
import { language, onLanguage, sentence, t } from "../i18n.js";
import { openLobby } from "../lobby.js";
import { Media } from "../media.js";
import { fetchMyData, namePurposes, secretOf, summary } from "../mydata.js";
import { Room } from "../room.js";
import { explain, say, start } from "../shell.js";
import { exposeStats } from "../stats.js";

/** The secrets stay in this page's memory: nothing is stored. */
const invitation = location.hash.slice(1);
let dataUrl = "";
/** @type {Room | null} */
let room = null;
let endReason = "";
const media = new Media();

await start();
exposeStats(() => room);
/** @type {About} */
const about = await get("/api/about");
namePurposes(about, language);
const seat = await ownSeat();
const name = byId("name", HTMLInputElement);
byId("controller", HTMLElement).textContent = about.controller.name;
copies(byId("kept-link", HTMLInputElement), byId("kept-copy", HTMLButtonElement));
copies(byId("end-link", HTMLInputElement), byId("end-copy", HTMLButtonElement));
onLanguage(() => void drawEnd());
if (!invitation && !seat) say(t("join.no_invitation"));
else lobby();

function lobby() {
  // Whoever comes back keeps the name under which the others know them.
  if (seat && !invitation) {
    name.value = seat.name;
    name.readOnly = true;
  }
  show(byId("lobby", HTMLElement), true);
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
  room = new Room({ ticket: () => post("/api/seat/ticket"), about, media, agent: false, ended });
  room.start(clickedAt);
}

/** @param {string} called */
async function claim(called) {
  try {
    const claimed = await post("/api/join", { secret: invitation, name: called, language: language() });
    dataUrl = claimed.data_url;
  } catch (error) {
    // Claimed before, by this very browser: the seat is still ours.
    if (!(error instanceof ApiError && error.code === "link.spent" && seat)) throw error;
  }
  // The invitation is spent; it need not stay in the address bar for others to read.
  history.replaceState(null, "", location.pathname);
  byId("kept-link", HTMLInputElement).value = dataUrl;
  byId("end-link", HTMLInputElement).value = dataUrl;
}

/** @param {string} reason */
function ended(reason) {
  endReason = reason;
  document.body.classList.remove("in-call");
  show(byId("kept", HTMLElement), false);
  show(byId("end", HTMLElement), true);
  show(byId("end-data", HTMLElement), dataUrl !== "");
  show(byId("end-no-link", HTMLElement), dataUrl === "");
  byId("end-heading", HTMLElement).focus();
  void drawEnd();
}

async function drawEnd() {
  if (!endReason) return;
  byId("end-heading", HTMLElement).textContent = sentence("ended", endReason);
  if (!dataUrl) return;
  const secret = secretOf(dataUrl);
  try {
    const data = await fetchMyData(secret);
    const changed = (/** @type {unknown} */ error) => (error ? say(explain(error)) : void drawEnd());
    byId("end-summary", HTMLElement).replaceChildren(summary(data, secret, changed));
  } catch (error) {
    say(explain(error));
  }
}
