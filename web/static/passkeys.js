// One's own passkeys: seen, added, removed.

/** @import {Passkey} from "./types.js" */

import { get, post } from "./api.js";
import { ask } from "./ask.js";
import { byId, button, el, onClick, show } from "./dom.js";
import { dateTime, onLanguage, t } from "./i18n.js";
import { guarded } from "./shell.js";
import { confirmed } from "./stepup.js";
import { cell } from "./timeline.js";

/** @type {Passkey[]} */
let known = [];

/** Show them, and make the buttons work. */
export async function passkeys() {
  onLanguage(draw);
  onClick(byId("add-passkey", HTMLButtonElement), () => guarded(add));
  await load();
}

async function load() {
  known = (await get("/api/passkeys")).passkeys;
  draw();
}

function draw() {
  byId("passkeys", HTMLElement).replaceChildren(...known.map(row));
  show(byId("no-passkeys", HTMLElement), known.length === 0);
}

/** @param {Passkey} one */
function row(one) {
  const out = button(t("passkey.remove"), () => guarded(() => remove(one)), {
    "aria-label": `${t("passkey.remove")}: ${one.name}`,
  });
  return el(
    "tr",
    {},
    cell("passkey.name", one.name),
    cell("passkey.made", dateTime(one.created_ms)),
    cell("passkey.used", one.used_ms === null ? "–" : dateTime(one.used_ms)),
    cell("staff.action", out),
  );
}

async function add() {
  const name = el("input", { id: "passkey-name", type: "text", maxlength: 60, autocomplete: "off" });
  const done = await ask("passkey.add", "passkey.explain", [["passkey-name", "passkey.name", name]], async () => {
    const { options } = await confirmed("passkeys", "", () => post("/api/passkeys/start"));
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    const made = await navigator.credentials.create({ publicKey }).catch(() => null);
    const credential = made instanceof PublicKeyCredential ? made.toJSON() : {};
    await post("/api/passkeys", { name: name.value.trim() || t("passkey.default"), credential });
  });
  if (done) await load();
}

/** @param {Passkey} one */
async function remove(one) {
  await confirmed("passkeys", "", () => post(`/api/passkeys/${one.passkey}/remove`));
  await load();
}
