// Canonical JSON (RFC 8785), base64url, hashes: the same bytes here as avsession/canonical.py makes.
// tests/vectors/signed.json holds both to it.

/**
 * The RFC 8785 text of plain data. Throws a TypeError for what JSON has no words for.
 * @param {unknown} value
 * @returns {string}
 */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${entries.map(([name, one]) => `${canonical(name)}:${canonical(one)}`).join(",")}}`;
  }
  const known = value === null || typeof value === "boolean";
  const number = typeof value === "number" && Number.isFinite(value);
  const text = typeof value === "string" && !/\p{Surrogate}/u.test(value);
  if (!known && !number && !text) throw new TypeError("not plain data");
  return JSON.stringify(value);
}

/**
 * @param {BufferSource} data
 * @returns {string} base64url without padding
 */
export function b64(data) {
  const view = ArrayBuffer.isView(data) ? data.buffer : data;
  const text = btoa(String.fromCharCode(...new Uint8Array(view)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The reverse of `b64`; throws on anything that it would not make.
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function unb64(text) {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  if (b64(bytes) !== text) throw new TypeError("not canonical base64url");
  return bytes;
}

/**
 * @param {BufferSource} data
 * @returns {string} lower-case hex
 */
export function hex(data) {
  const view = ArrayBuffer.isView(data) ? data.buffer : data;
  return [...new Uint8Array(view)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * UTF-8.
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function sha256(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}
