// The receipt page: a file is chosen, and checked here. The page's policy lets nothing out: it may
// not connect to anything, its own server included; its texts came with it.

import { byId, el, show } from "../dom.js";
import { onLanguage, sentence, t } from "../i18n.js";
import { say, start } from "../shell.js";
import { parseKey } from "../tlog.js";
import { verify } from "../verify.js";

/** @type {Awaited<ReturnType<typeof verify>> | null} */
let found = null;
const file = byId("file", HTMLInputElement);
const key = byId("key", HTMLInputElement);

await start();
const texts = JSON.parse(byId("receipt-texts", HTMLScriptElement).textContent ?? "");
onLanguage(draw);
byId("form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void check();
});

async function check() {
  say("");
  found = null;
  draw();
  const chosen = file.files?.[0];
  if (!chosen) {
    say(t("receipt.choose"));
    file.focus();
    return;
  }
  const given = key.value.trim();
  if (given && !(await parseKey(given).catch(() => null))) {
    say(t("receipt.bad_key"));
    key.focus();
    return;
  }
  found = await verify(new Uint8Array(await chosen.arrayBuffer()), given, texts);
  draw();
}

/**
 * Beside the word, so that wrong is seen at a glance, and never by colour alone.
 * @param {boolean | null} holds
 */
function sign(holds) {
  return holds === null ? "–" : holds ? "✓" : "✗";
}

function draw() {
  show(byId("result", HTMLElement), found !== null);
  const verdict = byId("verdict", HTMLElement);
  verdict.textContent = found ? t(found.holds ? "receipt.holds" : "receipt.broken") : "";
  verdict.classList.toggle("wrong", found !== null && !found.holds);
  const steps = found?.steps ?? [];
  byId("steps", HTMLElement).replaceChildren(
    ...steps.map(({ name, holds, said }) =>
      el(
        "li",
        { "data-step": name, "data-holds": String(holds) },
        el("strong", {}, `${sign(holds)} ${t(`receipt.mark_${holds}`)}:`),
        ` ${sentence("receipt_step", said)}`,
      ),
    ),
  );
}
