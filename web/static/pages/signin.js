// Signing in, with a password or by a one-time link whose secret is in the fragment.

import { post } from "../api.js";
import { BASE } from "../base.js";
import { byId } from "../dom.js";
import { explain, say, start } from "../shell.js";

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
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const login = byId("login", HTMLInputElement).value;
  const password = byId("password", HTMLInputElement).value;
  void attempt("/api/sign-in", { login, password });
});
byId("submit", HTMLButtonElement).disabled = false;

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
