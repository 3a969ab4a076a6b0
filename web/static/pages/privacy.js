// The privacy page: the policy; and with the private link in the fragment, one's own data.

/** @import {About, Erasure, MyData} from "../types.js" */

import { ApiError, get } from "../api.js";
import { disclosed } from "../disclosed.js";
import { byId, show } from "../dom.js";
import { ExportPanel } from "../export.js";
import { language, onLanguage, t } from "../i18n.js";
import { fetchMyData, namePurposes, summary } from "../mydata.js";
import { showPolicy } from "../policy.js";
import { recover } from "../recover.js";
import { erased, rights } from "../rights.js";
import { explain, guarded, say, start } from "../shell.js";
import { staffData } from "../staffdata.js";
import { waysIn } from "../waysin.js";

let secret = location.hash.slice(1);
/** @type {MyData | null} */
let data = null;
/** @type {Erasure | null} */
let gone = null;
/** Whether the link in use was had with a receipt, just now. */
let fresh = false;
const panel = new ExportPanel(byId("export", HTMLElement));

await start();
// Another private link opened in this tab changes the fragment only.
addEventListener("hashchange", () => location.reload());
/** @type {About} */
const about = await get("/api/about");
namePurposes(about, language);
onLanguage(draw);
draw();
void showPolicy(byId("policy", HTMLElement), (error) => say(explain(error)));
recover(renewed);
if (secret) await load();
else await guarded(staffData);

async function load() {
  try {
    data = await fetchMyData(secret);
    say("");
  } catch (error) {
    const spent = error instanceof ApiError && error.code === "link.spent";
    say(spent ? t("rights.spent") : explain(error));
  }
  draw();
}

/**
 * The page goes on with a new private link.
 * @param {string} found its secret
 */
function renewed(found) {
  secret = found;
  fresh = true;
  history.replaceState(null, "", `#${found}`);
  return load();
}

/** @param {Erasure} answer */
function goodbye(answer) {
  gone = answer;
  data = null;
  secret = "";
  history.replaceState(null, "", location.pathname);
  draw();
  byId("gone", HTMLElement).querySelector("h2")?.focus();
}

function draw() {
  const failed = (/** @type {unknown} */ error) => say(explain(error));
  show(byId("mine", HTMLElement), data !== null);
  show(byId("lost", HTMLElement), data === null && gone === null);
  show(byId("gone", HTMLElement), gone !== null);
  show(byId("fresh", HTMLElement), fresh);
  if (gone) byId("gone", HTMLElement).replaceChildren(...erased(gone, failed));
  void panel.use(data ? secret : "");
  if (!data) return;
  byId("disclosed", HTMLElement).replaceChildren(disclosed(data.disclosures));
  const changed = (/** @type {unknown} */ error) => (error ? failed(error) : void load());
  byId("summary", HTMLElement).replaceChildren(
    summary(data, secret, changed),
    rights(data, secret, about, changed, goodbye),
    waysIn(data, secret, changed, renewed),
  );
}
