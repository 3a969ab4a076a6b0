// Saving a receipt: the file comes from the server, and goes to where the browser keeps downloads.

import { postForFile } from "./api.js";
import { el } from "./dom.js";

/**
 * @param {string} path
 * @param {object} body which event; by the private link its secret too
 */
export async function saveReceipt(path, body) {
  const response = await postForFile(path, body);
  const named = /filename="([\w.-]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  const url = URL.createObjectURL(await response.blob());
  el("a", { href: url, download: named?.[1] ?? "receipt.html" }).click();
  // The browser has taken the file over by then; a revocation at once would be too early for some.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
