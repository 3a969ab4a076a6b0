// Signing in: with a password, by a one-time link whose secret is in the fragment, or at the
// company's provider, which sends people back here with a code in the address.

import { get, post } from "../api.js";
import { BASE } from "../base.js";
import { byId, onClick, show } from "../dom.js";
import { onLanguage, t } from "../i18n.js";
import { explain, guarded, say, start } from "../shell.js";

await start();
const form = byId("form", HTMLFormElement);
// A link opened in a tab that is here already changes the fragment only.
addEventListener("hashchange", () => location.reload());
const secret = location.hash.slice(1);
if (secret) {
  // Spent by this very request: it need not stay in the address bar or the history.
  history.replaceState(null, "", location.pathname);
  await attempt("/api/sign-in/link", { secret });
}
const company = byId("company", HTMLButtonElement);
/** @type {string | null} */
const name = (await get("/api/about")).company;
onLanguage(label);
label();
onClick(company, () =>
  guarded(async () => location.assign((await post("/api/sign-in/company")).url)),
);
const back = new URLSearchParams(location.search);
const [state, code, iss] = ["state", "code", "iss"].map((one) => back.get(one) ?? "");
if (state) {
  // Good once and in this browser only: it need not stay in the address bar or the history.
  history.replaceState(null, "", location.pathname);
  await attempt("/api/sign-in/company/finish", { state, code, iss });
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const login = byId("login", HTMLInputElement).value;
  const password = byId("password", HTMLInputElement).value;
  void attempt("/api/sign-in", { login, password });
});
byId("submit", HTMLButtonElement).disabled = false;

function label() {
  show(company, name !== null);
  company.textContent = t("signin.company", { name: name ?? "" });
}

/**
 * @param {string} path
 * @param {object} body
 */
async function attempt(path, body) {
  say("");
  try {
    const { home } = await post(path, body);
    location.replace(BASE + (home === "/admin" ? "/admin" : "/"));
  } catch (error) {
    say(explain(error));
  }
}
