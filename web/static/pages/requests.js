// The admin's desk: what people ask for, due when, and what is done about it.

/** @import {About, DeskFigures, DeskRequest} from "../types.js" */

import { signOutButton } from "../account.js";
import { get } from "../api.js";
import { picture, row } from "../desk.js";
import { Finder } from "../finding.js";
import { byId, onClick, show } from "../dom.js";
import { language, onLanguage } from "../i18n.js";
import { explain, say, start } from "../shell.js";

/** @type {{requests: DeskRequest[], figures: DeskFigures} | null} */
let desk = null;

await start();
/** @type {About} */
const about = await get("/api/about");
await signOutButton();
onClick(byId("refresh", HTMLButtonElement), load);
const finder = new Finder(byId("finding", HTMLElement), about.purposes.map(({ id }) => id), labelOf, load);
onLanguage(draw);
await load();

async function load() {
  try {
    say("");
    desk = await get("/api/admin/requests");
    draw();
  } catch (error) {
    say(explain(error));
  }
}

/** @param {string} id of a purpose */
function labelOf(id) {
  const found = about.purposes.find((one) => one.id === id);
  return found?.label[language()] ?? found?.label["en"] ?? id;
}

function draw() {
  if (!desk) return;
  byId("figures", HTMLElement).replaceChildren(picture(desk.figures));
  byId("requests", HTMLElement).replaceChildren(...desk.requests.map((one) => row(one, labelOf, load)));
  show(byId("none", HTMLElement), desk.requests.length === 0);
  finder.draw();
}
