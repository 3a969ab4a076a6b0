// The readable part of a receipt, byte for byte as avsession/audit/receipt_page.py makes it, in each
// layout that there ever was. tests/vectors/ holds receipts that both must make alike.

/** @typedef {Record<string, any>} Fields */
/** @typedef {Record<string, {en: Fields, de: Fields, style: string}>} Texts by layout */
/** @typedef {{layout: number, offset: number}} Look the offset of local time in minutes, 0: UTC alone */
/** @typedef {[string, string, string]} Row label, content as HTML, class */

const FIRST = 1;
const LAYOUT = 2;
const MAX_OFFSET = 14 * 60;
const BODY = /<\/head>\n<body(?: data-layout="2"(?: data-offset="(?<offset>-?[1-9][0-9]{0,2})")?)?>\n/;

/**
 * How a page says that it is laid out; null when it says nothing that was ever made.
 * @param {string} text
 * @returns {Look | null}
 */
export function lookOf(text) {
  const found = BODY.exec(text);
  if (!found) return null;
  if (!found[0].includes("data-layout")) return { layout: FIRST, offset: 0 };
  const offset = Number(found.groups?.["offset"] ?? 0);
  return Math.abs(offset) <= MAX_OFFSET ? { layout: LAYOUT, offset } : null;
}

/** @param {string} text */
function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/**
 * The whole page.
 * @param {Fields} receipt
 * @param {string} machine the element that holds the machine-readable part
 * @param {Texts} texts
 * @param {Look} look
 */
export function page(receipt, machine, texts, look) {
  const language = receipt["language"];
  const told = texts[look.layout];
  if (!told) throw new TypeError("there is no such layout");
  const words = language === "de" ? told.de : told.en;
  const document = receipt["document"];
  const parts = [
    section(words, receipt["kind"] === "erased" ? "destroyed" : "said", rows(said(receipt, words, look))),
    notice(receipt, words, look),
    section(words, "responsible", rows(responsible(document, words, language))),
    withdrawing(receipt, words),
    section(words, "signature", rows(signature(receipt, words, look))),
    section(words, "proof", `<p>${escape(words["proof.explain"])}</p>${rows(proof(receipt, words))}`),
  ];
  const title = escape(words[`title.${receipt["kind"]}`]);
  const when = document.event_time || JSON.parse(receipt["leaf"]).time;
  const lead = escape(words[`lead.${receipt["kind"]}`].split("{time}").join(time(when, words, look)));
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return (
    `<!doctype html>\n<html lang="${language}">\n<head>\n<meta charset="utf-8">\n` +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    `<meta http-equiv="Content-Security-Policy" content="${policy}">\n` +
    `<title>${title}</title>\n<style>\n${told.style}</style>\n</head>\n${body(look)}\n<main>\n` +
    `<h1>${title}</h1>\n<p class="lead">${lead}</p>\n${parts.join("")}</main>\n${machine}\n` +
    "</body>\n</html>\n"
  );
}

/** @param {Look} look */
function body({ layout, offset }) {
  if (layout === FIRST) return "<body>";
  return `<body data-layout="${layout}"${offset ? ` data-offset="${offset}"` : ""}>`;
}

/**
 * For people: where they are, and in UTC.
 * @param {string} text
 * @param {Fields} words
 * @param {Look} look
 */
function time(text, words, { layout, offset }) {
  if (layout === FIRST) return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
  if (!text || !offset) return put(words["time"], text, "");
  const moved = new Date(Date.parse(`${text.slice(0, 19)}Z`) + offset * 60_000).toISOString();
  const minutes = Math.abs(offset);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const ahead = `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  return put(put(words["time.local"], moved, "local_").split("{offset}").join(ahead), text, "");
}

/**
 * @param {string} template
 * @param {string} text
 * @param {string} prefix
 */
function put(template, text, prefix) {
  const parts = { y: text.slice(0, 4), m: text.slice(5, 7), d: text.slice(8, 10), time: text.slice(11, 19) };
  for (const [name, part] of Object.entries(parts)) template = template.split(`{${prefix}${name}}`).join(part);
  return template;
}

/**
 * @param {any} value
 * @param {string} language
 * @returns {string}
 */
function text(value, language) {
  if (Array.isArray(value)) return value.map((one) => text(one, language)).join(", ");
  if (value === null || value === undefined) return "–";
  if (typeof value === "object") return text(value[language] || value["en"] || "", language);
  return String(value);
}

/**
 * @param {Fields} words
 * @param {string} key
 * @param {string} content
 */
function section(words, key, content) {
  return content ? `<section>\n<h2>${escape(words[key])}</h2>\n${content}\n</section>\n` : "";
}

/** @param {Row[]} list */
function rows(list) {
  if (list.length === 0) return "";
  const made = list.map(([label, html, kind]) => {
    const mark = kind ? ` class="${kind}"` : "";
    return `<dt>${escape(label)}</dt>\n<dd${mark}>${html}</dd>\n`;
  });
  return `<dl>\n${made.join("")}</dl>`;
}

/**
 * @param {Fields} words
 * @param {string} key
 * @param {any} value
 * @param {string} language
 * @param {string} [kind]
 * @returns {Row}
 */
function plain(words, key, value, language, kind = "") {
  return [words[key], escape(text(value, language)), kind];
}

/**
 * @param {Fields} receipt
 * @param {Fields} words
 * @param {Look} look
 * @returns {Row[]}
 */
function said(receipt, words, look) {
  const { document, language } = receipt;
  if (receipt["kind"] === "erased") {
    return certificate(document, words, language, look);
  }
  const told = document.legal_basis;
  // a phrase by language brings its own words
  const basis = typeof told === "string" ? words[`basis.${told}`] || told : told;
  /** @type {Row[]} */
  const list = [
    plain(words, "when", time(document.event_time, words, look), language),
    plain(words, "as", words[`role.${document.party_role}`] || "", language),
    [words["purposes"], purposes(document, words, language, look), ""],
    plain(words, "basis", basis, language),
    plain(words, "event", document.event_id, language, "code"),
    plain(words, "request", document.request, language, "code"),
    plain(words, "session", document.session, language, "code"),
  ];
  if (document.recording) list.push(plain(words, "recording", document.recording, language, "code"));
  return list;
}

/**
 * What a certificate says; only the digests of single segments are left to the machine part.
 * @param {Fields} document
 * @param {Fields} words
 * @param {string} language
 * @param {Look} look
 * @returns {Row[]}
 */
function certificate(document, words, language, look) {
  const { what, when, by, left } = document;
  const until = left.key_backups_until;
  const backups = words[until === null ? "backups.none" : "backups.until"];
  const list = [
    plain(words, "what", words[what.whole ? "what.whole" : "what.part"], language),
    plain(words, "why", word(words, "why", document["why"]), language),
    plain(words, "by", word(words, "by", by.role), language),
    plain(words, "decided", time(when.decided, words, look), language),
    plain(words, "keys", time(when.keys_destroyed, words, look), language),
    plain(words, "done", time(when.done, words, look), language),
    plain(words, "backups", backups.split("{time}").join(time(until ?? "", words, look)), language),
    plain(words, "database", word(words, "database", left.database), language),
  ];
  for (const track of what.tracks) {
    const told = words["track.told"].split("{n}").join(String(track.segments));
    list.push(
      plain(words, "track", told.split("{role}").join(word(words, "role", track.role)), language),
      plain(words, "track.id", track.track, language, "code"),
      plain(words, "track.key", track.recipient, language, "code"),
      plain(words, "track.digest", track.digest, language, "code"),
    );
  }
  return [
    ...list,
    plain(words, "manifest", what.manifest.head, language, "code"),
    plain(words, "manifest.entries", what.manifest.entries, language),
    plain(words, "certificate", document["certificate"], language, "code"),
    plain(words, "recording", what.recording, language, "code"),
    plain(words, "session", what.session, language, "code"),
    plain(words, "by.pseudonym", by.pseudonym, language, "code"),
  ];
}

/**
 * A code in words; itself, when a later version of us has made it up.
 * @param {Fields} words
 * @param {string} of
 * @param {string} code
 */
function word(words, of, code) {
  return String(words[`${of}.${code}`] || code);
}

/**
 * @param {Fields} document
 * @param {Fields} words
 * @param {string} language
 * @param {Look} look
 */
function purposes(document, words, language, { layout }) {
  const items = document["purposes"].map((/** @type {Fields} */ one) => {
    const label = text(one["label"], language) || one["id"];
    const answer = words[one["answer"] ? "allowed" : "not_allowed"];
    const days = one["retention_days"];
    const kept = days === null ? "" : ` ${words["kept"].split("{n}").join(String(days))}`;
    const sign = layout === FIRST ? "" : box(one["answer"] ? "☑" : "☐");
    return `<li>${sign}${escape(`${label}: ${answer}.${kept}`)}</li>\n`;
  });
  return `<ul>\n${items.join("")}</ul>`;
}

/**
 * A box for the eye; the words beside it say the same.
 * @param {string} sign
 */
function box(sign) {
  return `<span class="box" aria-hidden="true">${sign}</span> `;
}

/**
 * @param {Fields} receipt
 * @param {Fields} words
 * @param {Look} look
 */
function notice(receipt, words, { layout }) {
  const shown = receipt["notice"];
  if (shown === null) return "";
  const told = layout === FIRST ? escape(shown.text) : lines(receipt, words);
  return section(
    words,
    "notice",
    `<p>${escape(words["notice.explain"])}</p>\n` +
      `<div class="notice" lang="${escape(shown.language)}">${told}</div>\n` +
      `<p class="code">SHA-256 ${escape(shown.sha256)}</p>`,
  );
}

/**
 * The notice as it was on the screen: a paragraph a line, and the boxes as they were ticked. Only a
 * consent says what was ticked; elsewhere the purposes are a list.
 * @param {Fields} receipt
 * @param {Fields} words
 */
function lines(receipt, words) {
  const purposes = /** @type {Fields[]} */ (receipt["document"].purposes);
  const answers = new Map(purposes.map(({ id, answer }) => [id, answer]));
  const made = receipt["notice"].text.split("\n").map((/** @type {string} */ line) => {
    const space = line.startsWith("[ ] ") ? line.indexOf(" ", 4) : -1;
    if (space < 0) return line ? `<p>${escape(line)}</p>\n` : "";
    const label = line.slice(space + 1);
    if (receipt["kind"] !== "given") return `<p>${box("•")}${escape(label)}</p>\n`;
    const ticked = answers.get(line.slice(4, space)) === true;
    const said = escape(`${label} (${words[ticked ? "ticked" : "not_ticked"]})`);
    return `<p>${box(ticked ? "☑" : "☐")}${said}</p>\n`;
  });
  return `\n${made.join("")}`;
}

/**
 * @param {Fields} document
 * @param {Fields} words
 * @param {string} language
 * @returns {Row[]}
 */
function responsible(document, words, language) {
  const controller = document["controller"];
  if (controller === null || controller === undefined) return [];
  const list = ["name", "address", "contact", "dpo"].map((name) =>
    plain(words, `controller.${name}`, controller[name], language),
  );
  for (const name of ["supervisory_authority", "recipients", "storage_location", "jurisdiction"]) {
    if (truthy(document[name])) list.push(plain(words, name, document[name], language));
  }
  return list;
}

/**
 * As Python has it: nothing in it is nothing.
 * @param {any} value
 */
function truthy(value) {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/**
 * @param {Fields} receipt
 * @param {Fields} words
 */
function withdrawing(receipt, words) {
  if (receipt["kind"] !== "given") return "";
  const html = `<p>${escape(words["withdraw.how"])}</p>\n<p class="code">${escape(receipt["privacy"])}</p>`;
  return section(words, "withdraw", html);
}

/**
 * @param {Fields} receipt
 * @param {Fields} words
 * @param {Look} look
 * @returns {Row[]}
 */
function signature(receipt, words, look) {
  const { document, language } = receipt;
  const block = document["signature"];
  if (block === null || block === undefined) return [];
  const status = plain(words, "signature.status", words[`signature.${block.status}`], language);
  if (block.status !== "valid") return [status];
  return [
    status,
    plain(words, "signature.time", time(block.statement.time, words, look), language),
    plain(words, "signature.key", `${block.algorithm} ${block.public_key}`, language, "code"),
    plain(words, "signature.value", block.signature, language, "code"),
  ];
}

/**
 * @param {Fields} receipt
 * @param {Fields} words
 * @returns {Row[]}
 */
function proof(receipt, words) {
  const { language } = receipt;
  return [
    plain(words, "proof.log", receipt["origin"], language, "code"),
    plain(words, "proof.key", receipt["log_key"], language, "code"),
    plain(words, "proof.leaf", receipt["leaf"], language, "code"),
    plain(words, "proof.text", receipt["proof"], language, "code"),
  ];
}
