// The privacy page: who is responsible; and with the private link in the fragment, one's own data.

/** @import {About, MyData} from "../types.js" */

import { get } from "../api.js";
import { byId, el, show } from "../dom.js";
import { language, onLanguage, t } from "../i18n.js";
import { fetchMyData, namePurposes, summary } from "../mydata.js";
import { explain, say, start } from "../shell.js";

const secret = location.hash.slice(1);
/** @type {MyData | null} */
let data = null;

await start();
// Another private link opened in this tab changes the fragment only.
addEventListener("hashchange", () => location.reload());
/** @type {About} */
const about = await get("/api/about");
namePurposes(about, language);
onLanguage(draw);
draw();
if (secret) await load();

async function load() {
  try {
    data = await fetchMyData(secret);
    say("");
  } catch (error) {
    say(explain(error));
  }
  draw();
}

function draw() {
  const { name, address, contact, dpo, authority } = about.controller;
  const rows = [
    ["privacy.controller", `${name}, ${address}`],
    ["privacy.contact", contact],
    ["privacy.dpo", dpo],
    ["privacy.authority", authority[language()] ?? authority["en"]],
  ];
  byId("controller", HTMLElement).replaceChildren(
    ...rows.flatMap(([key = "", text = ""]) => [el("dt", {}, t(key)), el("dd", {}, text)]),
  );
  show(byId("mine", HTMLElement), data !== null);
  if (!data) return;
  const changed = (/** @type {unknown} */ error) => (error ? say(explain(error)) : void load());
  byId("summary", HTMLElement).replaceChildren(summary(data, secret, changed));
}
