// Confirming that it is really you, with a passkey, or with the password where there is none.

import { ApiError, post } from "./api.js";
import { ask } from "./ask.js";
import { el } from "./dom.js";

/**
 * Do something that the server may want confirmed first; then it is done again, once.
 * @template T
 * @param {"play" | "disclose" | "erase" | "link" | "passkeys"} action
 * @param {string} target what it is about
 * @param {() => Promise<T>} carryOut
 * @returns {Promise<T>}
 */
export async function confirmed(action, target, carryOut) {
  try {
    return await carryOut();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "auth.step_up") throw error;
    if (!(await confirm(action, target))) throw error;
  }
  return carryOut();
}

/**
 * @param {string} action
 * @param {string} target
 */
async function confirm(action, target) {
  const { passkey, password } = await post("/api/step-up/start", { action, target });
  if (passkey) {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(passkey);
    const found = await navigator.credentials.get({ publicKey }).catch(() => null);
    if (!(found instanceof PublicKeyCredential)) return false;
    await post("/api/step-up", { action, target, credential: found.toJSON() });
    return true;
  }
  if (!password) return false;
  const field = el("input", { id: "step-up", type: "password", autocomplete: "current-password", maxlength: 1000 });
  return ask("stepup.title", "stepup.explain", [["step-up", "signin.password", field]], () =>
    post("/api/step-up", { action, target, password: field.value }), "stepup.confirm");
}
