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
 * The receipt tells its times in UTC and as the clocks here stood then.
 * @param {string} path
 * @param {object} body which event or certificate; by the private link its secret too
 * @param {number} [at] when that was
 */
export async function saveReceipt(path, body, at = Date.now()) {
  const offset = -new Date(at).getTimezoneOffset();
  await saveFile(path, { ...body, offset }, "receipt.html");
}

/**
 * Save a file that the server makes of what it is told, under the server's name for it.
 * @param {string} path
 * @param {object} body
 * @param {string} otherwise its name when the server gives none
 */
export async function saveFile(path, body, otherwise) {
  const response = await postForFile(path, body);
  const named = /filename="([\w.-]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  save(await response.blob(), named?.[1] ?? otherwise);
}

/**
 * Save what the page has already.
 * @param {string} text
 * @param {string} type
 * @param {string} name
 */
export function saveText(text, type, name) {
  save(new Blob([text], { type }), name);
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  // The browser has taken the file over by then; a revocation at once would be too early for some.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
