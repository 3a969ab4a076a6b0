// The readable part of a receipt, byte for byte as avsession/audit/receipt_page.py makes it.
// tests/vectors/ holds receipts that both must make alike.

/** @typedef {Record<string, any>} Fields */
/** @typedef {{en: Fields, de: Fields, style: string}} Texts */
/** @typedef {[string, string, string]} Row label, content as HTML, class */

/** @param {string} text */
function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/**
 * The whole page.
 * @param {Fields} receipt
 * @param {string} machine the element that holds the machine-readable part
 * @param {Texts} texts
 */
export function page(receipt, machine, texts) {
  const language = receipt["language"];
  const words = language === "de" ? texts.de : texts.en;
  const document = receipt["document"];
  const parts = [
    section(words, receipt["kind"] === "erased" ? "destroyed" : "said", rows(said(receipt, words))),
    notice(receipt, words),
    section(words, "responsible", rows(responsible(document, words, language))),
    withdrawing(receipt, words),
    section(words, "signature", rows(signature(receipt, words))),
    section(words, "proof", `<p>${escape(words["proof.explain"])}</p>${rows(proof(receipt, words))}`),
  ];
  const title = escape(words[`title.${receipt["kind"]}`]);
  const when = document.event_time || JSON.parse(receipt["leaf"]).time;
  const lead = escape(words[`lead.${receipt["kind"]}`].split("{time}").join(time(when)));
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return (
    `<!doctype html>\n<html lang="${language}">\n<head>\n<meta charset="utf-8">\n` +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    `<meta http-equiv="Content-Security-Policy" content="${policy}">\n` +
    `<title>${title}</title>\n<style>\n${texts.style}</style>\n</head>\n<body>\n<main>\n` +
    `<h1>${title}</h1>\n<p class="lead">${lead}</p>\n${parts.join("")}</main>\n${machine}\n` +
    "</body>\n</html>\n"
  );
}

/** @param {string} text */
function time(text) {
  return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
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
 * @returns {Row[]}
 */
function said(receipt, words) {
  const { document, language } = receipt;
  if (receipt["kind"] === "erased") {
    return certificate(document, words, language);
  }
  /** @type {Row[]} */
  const list = [
    plain(words, "when", time(document.event_time), language),
    plain(words, "as", words[`role.${document.party_role}`] || "", language),
    [words["purposes"], purposes(document, words, language), ""],
    plain(words, "basis", document.legal_basis, language),
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
 * @returns {Row[]}
 */
function certificate(document, words, language) {
  const { what, when, by, left } = document;
  const until = left.key_backups_until;
  const backups = words[until === null ? "backups.none" : "backups.until"];
  const list = [
    plain(words, "what", words[what.whole ? "what.whole" : "what.part"], language),
    plain(words, "why", word(words, "why", document["why"]), language),
    plain(words, "by", word(words, "by", by.role), language),
    plain(words, "decided", time(when.decided), language),
    plain(words, "keys", time(when.keys_destroyed), language),
    plain(words, "done", time(when.done), language),
    plain(words, "backups", backups.split("{time}").join(time(until ?? "")), language),
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
 */
function purposes(document, words, language) {
  const items = document["purposes"].map((/** @type {Fields} */ one) => {
    const label = text(one["label"], language) || one["id"];
    const answer = words[one["answer"] ? "allowed" : "not_allowed"];
    const days = one["retention_days"];
    const kept = days === null ? "" : ` ${words["kept"].split("{n}").join(String(days))}`;
    return `<li>${escape(`${label}: ${answer}.${kept}`)}</li>\n`;
  });
  return `<ul>\n${items.join("")}</ul>`;
}

/**
 * @param {Fields} receipt
 * @param {Fields} words
 */
function notice(receipt, words) {
  const shown = receipt["notice"];
  if (shown === null) return "";
  return section(
    words,
    "notice",
    `<p>${escape(words["notice.explain"])}</p>\n` +
      `<div class="notice" lang="${escape(shown.language)}">${escape(shown.text)}</div>\n` +
      `<p class="code">SHA-256 ${escape(shown.sha256)}</p>`,
  );
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
 * @returns {Row[]}
 */
function signature(receipt, words) {
  const { document, language } = receipt;
  const block = document["signature"];
  if (block === null || block === undefined) return [];
  const status = plain(words, "signature.status", words[`signature.${block.status}`], language);
  if (block.status !== "valid") return [status];
  return [
    status,
    plain(words, "signature.time", time(block.statement.time), language),
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
