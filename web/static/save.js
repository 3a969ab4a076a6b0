// Saving a receipt: the file comes from the server, and goes to where the browser keeps downloads.

import { ApiError, postForFile } from "./api.js";
import { el } from "./dom.js";

/**
 * Save the receipt of an event, or say by its code why not.
 * @param {string} path
 * @param {string} event
 * @param {(code: string) => void} failed
 */
export async function saveReceiptOr(path, event, failed) {
  try {
    await saveReceipt(path, { event });
  } catch (error) {
    failed(error instanceof ApiError ? error.code : "other");
  }
}

/**
 * @param {string} path
 * @param {object} body which event or certificate; by the private link its secret too
 */
export async function saveReceipt(path, body) {
  const response = await postForFile(path, body);
  const named = /filename="([\w.-]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  const url = URL.createObjectURL(await response.blob());
  el("a", { href: url, download: named?.[1] ?? "receipt.html" }).click();
  // The browser has taken the file over by then; a revocation at once would be too early for some.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
