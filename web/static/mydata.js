// What a party may see of a session, by the private link: what was agreed, the exact notices, what
// was recorded, who has watched it; and the way to withdraw.

/** @import {ConsentEvent, MyData, MyRecording} from "./types.js" */

import { post } from "./api.js";
import { destructions } from "./certificate.js";
import { el, button, randomKey } from "./dom.js";
import { dateTime, duration, list, sentence, t } from "./i18n.js";
import { render } from "./notice.js";
import { chooseFate } from "./fate.js";
import { saveReceipt } from "./save.js";
import { Signer } from "./signer.js";

/**
 * The secret in a private link.
 * @param {string} url
 */
export function secretOf(url) {
  return url.split("#")[1] ?? "";
}

/**
 * @param {string} secret
 * @returns {Promise<MyData>}
 */
export function fetchMyData(secret) {
  return post("/api/my-data", { secret });
}

/**
 * Everything, as elements.
 * @param {MyData} data
 * @param {string} secret
 * @param {(error: unknown) => void} changed called after a withdrawal, with what went wrong or null
 */
export function summary(data, secret, changed) {
  const { session } = data;
  const end = session.ended_ms ? dateTime(session.ended_ms) : t("mydata.still_on");
  return el(
    "div",
    { class: "mydata" },
    el("p", {}, t("mydata.who", { name: data.name, start: dateTime(session.created_ms), end })),
    section("mydata.recordings", recordings(data, secret, changed)),
    section("mydata.events", events(data, secret, changed)),
    section("mydata.accesses", accesses(data)),
    section("mydata.notices", notices(data)),
  );
}

/**
 * @param {string} key
 * @param {HTMLElement} content
 */
function section(key, content) {
  return el("section", {}, el("h2", {}, t(key)), content);
}

/**
 * @param {MyData} data
 * @param {string} secret
 * @param {(error: unknown) => void} changed
 */
function recordings(data, secret, changed) {
  if (data.recordings.length === 0) return el("p", {}, t("mydata.no_recordings"));
  return el("ul", { class: "cards" }, ...data.recordings.map((one) => recording(one, data, secret, changed)));
}

/**
 * @param {MyRecording} one
 * @param {MyData} data
 * @param {string} secret
 * @param {(error: unknown) => void} changed
 */
function recording(one, data, secret, changed) {
  const item = el(
    "li",
    {},
    el("p", {}, `${dateTime(one.created_ms)} · ${sentence("state", one.state)} · ${duration(one.duration_ms)}`),
    one.state === "erased" ? "" : el("p", {}, t("mydata.purposes", { list: purposes(one.purposes) })),
  );
  if (one.mine_erased) item.append(el("p", {}, t("mydata.erased")));
  if (one.withdrawn) item.append(el("p", {}, t("mydata.withdrawn")), el("p", {}, fateText(one)));
  if (one.held) {
    const { category, review_ms } = one.held;
    item.append(el("p", {}, t("held.told", { why: sentence("held", category), when: dateTime(review_ms) })));
  }
  const load = (/** @type {string} */ certificate) => post("/api/my-data/certificate", { secret, certificate });
  const receipt = (/** @type {string} */ certificate) => saveReceipt("/api/my-data/receipt", { secret, certificate });
  item.append(...destructions(one.certificates, load, changed, receipt));
  if (one.withdrawn && !one.fate && !one.mine_erased) {
    item.append(button(t("fate.choose"), () => choose(one, secret, changed), { class: "strong" }));
  }
  if (one.can_withdraw) {
    item.append(button(t("recording.withdraw"), () => withdraw(one, data, secret, changed), { class: "strong" }));
  }
  return item;
}

/** @param {MyRecording} one */
function fateText({ fate, held, state, mine_erased }) {
  if (!fate) return t("fate.open");
  if (fate !== "destroy" || mine_erased || state === "erased") return sentence("fate", fate);
  return t(held ? "fate.destroy_held" : "fate.destroy_soon");
}

/**
 * Stop first, signed by a key made here if that can be done at once; what to keep is asked
 * afterwards.
 * @param {MyRecording} one
 * @param {MyData} data
 * @param {string} secret
 * @param {(error: unknown) => void} changed
 */
async function withdraw(one, data, secret, changed) {
  try {
    const signer = new Signer();
    signer.belongs(data.session.session, data.signing.party);
    await tell(one, secret, await signer.withdrawal(data.signing.challenge, one.request));
    await choose(one, secret, changed);
  } catch (error) {
    changed(error);
  }
}

/**
 * Keep or destroy, while that may still be chosen.
 * @param {MyRecording} one
 * @param {string} secret
 * @param {(error: unknown) => void} changed
 */
async function choose(one, secret, changed) {
  try {
    const fate = await chooseFate();
    if (fate) await tell(one, secret, { fate });
    changed(null);
  } catch (error) {
    changed(error);
  }
}

/**
 * @param {MyRecording} one
 * @param {string} secret
 * @param {object} more
 */
function tell(one, secret, more) {
  return post("/api/my-data/withdraw", { secret, request: one.request, ...more, key: randomKey() });
}

/** @param {string[]} ids */
function purposes(ids) {
  return ids.length ? list(ids.map(labelOf)) : t("mydata.none");
}

/**
 * What a purpose is called, in the page's language.
 * @param {string} id
 */
export function labelOf(id) {
  return purposeLabels.get(id)?.() ?? id;
}

/** Labels of the configured purposes, by id. @type {Map<string, () => string>} */
const purposeLabels = new Map();

/**
 * Teach this file what the purposes are called.
 * @param {import("./types.js").About} about
 * @param {() => string} language
 */
export function namePurposes(about, language) {
  for (const { id, label } of about.purposes) {
    purposeLabels.set(id, () => label[language()] ?? label["en"] ?? id);
  }
}

/** Events that a receipt can be had of. */
const WITH_RECEIPT = new Set(["given", "refused", "withdrawn"]);

/**
 * @param {MyData} data
 * @param {string} secret
 * @param {(error: unknown) => void} changed
 */
function events(data, secret, changed) {
  if (data.events.length === 0) return el("p", {}, t("mydata.no_events"));
  return el("ol", { class: "story" }, ...data.events.map((one) => event(one, secret, changed)));
}

/**
 * @param {ConsentEvent} one
 * @param {string} secret
 * @param {(error: unknown) => void} changed
 */
function event(one, secret, changed) {
  const said = one.purposes.length ? `: ${purposes(one.purposes)}` : "";
  const item = el("li", {}, el("time", {}, dateTime(one.at_ms)), ` ${sentence("event", one.kind)}${said}`);
  if (WITH_RECEIPT.has(one.kind)) {
    const save = async () => {
      try {
        await saveReceipt("/api/my-data/receipt", { secret, event: one.event }, one.at_ms);
      } catch (error) {
        changed(error);
      }
    };
    item.append(" ", button(t("receipt.save"), save, { class: "link" }));
  }
  return item;
}

/** @param {MyData} data */
function accesses(data) {
  if (data.accesses.length === 0) return el("p", {}, t("mydata.no_accesses"));
  const items = data.accesses.map(({ at_ms, by, reason, purpose }) =>
    el("li", {}, el("time", {}, dateTime(at_ms)), ` ${t("mydata.watched", { by: sentence("by", by), reason, purpose: purposes([purpose]) })}`),
  );
  return el("ol", { class: "story" }, ...items);
}

/** @param {MyData} data */
function notices(data) {
  const hashes = Object.keys(data.notices);
  if (hashes.length === 0) return el("p", {}, t("mydata.no_notices"));
  const items = hashes.map((hash) => {
    const language = data.events.find(({ notice }) => notice === hash)?.language ?? "";
    const text = data.notices[hash] ?? "";
    const digest = el("p", { class: "digest" }, `SHA-256 ${hash}`);
    return el("details", {}, el("summary", {}, text.split("\n")[0] ?? hash), render(text, language, false), digest);
  });
  return el("div", {}, ...items);
}
