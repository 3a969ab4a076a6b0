// Who is signed in, and the way out.

import { get, post } from "./api.js";
import { BASE } from "./base.js";
import { byId, onClick } from "./dom.js";

/** Show the name in the page's head and make `Sign out` work. */
export async function signOutButton() {
  const me = await get("/api/me");
  byId("account", HTMLElement).textContent = me.name;
  onClick(byId("sign-out", HTMLButtonElement), async () => {
    // whoever signed in at their company signs out there, too
    const { then } = await post("/api/sign-out");
    location.assign(then ?? `${BASE}/signin`);
  });
  return me;
}
