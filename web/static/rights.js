// A person's rights by the private link: each a button and a dialog, so two clicks; and what was
// asked for before, with its state. Withdrawing stands at each recording, in mydata.js.

/** @import {About, Erasure, MyData, OwnRequest} from "./types.js" */

import { post } from "./api.js";
import { ask, lines } from "./ask.js";
import { destructions } from "./certificate.js";
import { button, el, randomKey } from "./dom.js";
import { LANGUAGES, dateTime, language, list, sentence, t } from "./i18n.js";
import { labelOf } from "./mydata.js";
import { boxes } from "./purposes.js";

/** What each language calls itself. @type {Record<string, string>} */
const NAMES = LANGUAGES;
const WAITING = ["open", "verifying", "extended"];

/**
 * @param {MyData} data
 * @param {string} secret
 * @param {About} about
 * @param {(error: unknown) => void} changed called after each change, with what went wrong or null
 * @param {(answer: Erasure) => void} gone called once everything was erased
 */
export function rights(data, secret, about, changed, gone) {
  const restricted = data.restrictions.some(({ why, lifted_ms }) => why === "asked" && lifted_ms === null);
  /** @type {[string, () => Promise<boolean>][]} */
  const acts = [
    ["rights.rectify", () => rectify(data, secret)],
    restricted
      ? ["rights.lift", () => plain("rights.lift", "rights.lift_explain", "/api/my-data/restrict/lift", secret)]
      : ["rights.restrict", () => plain("rights.restrict", "rights.restrict_explain", "/api/my-data/restrict", secret)],
    ["rights.object", () => object(data, secret, about)],
    ["rights.complain", () => complain(secret, about)],
    ["rights.access", () => inWords("access", secret)],
    ["rights.erase", () => erase(data, secret, gone)],
  ];
  const takeBack = (/** @type {string} */ request) => post("/api/my-data/requests/withdraw", { secret, request });
  const buttons = acts.map(([key, act]) =>
    button(t(key), async () => {
      if (await act()) changed(null);
    }),
  );
  return el(
    "div",
    { class: "mydata" },
    el("section", {}, el("h2", {}, t("rights.kept")), kept(data)),
    el(
      "section",
      {},
      el("h2", {}, t("rights.heading")),
      ...data.restrictions.map((one) => el("p", {}, restriction(one))),
      ...keeping(data),
      el("div", { class: "rights" }, ...buttons),
    ),
    el("section", {}, el("h2", {}, t("rights.requests")), requests(data.requests, takeBack, changed)),
  );
}

/** @param {MyData} data */
function kept(data) {
  const { preferences, seat, links, renewed, handed } = data;
  const rows = [
    ["rights.name", data.name],
    ["rights.contact", preferences.contact || t("rights.no_contact")],
    ["rights.language", NAMES[preferences.language] ?? preferences.language],
    ["rights.joined", seat.joined_ms === null ? "–" : dateTime(seat.joined_ms)],
    ["rights.left", seat.left_ms === null ? "–" : dateTime(seat.left_ms)],
    ...links.map((at) => ["rights.link_made", dateTime(at)]),
    ...renewed.map((at) => ["rights.link_renewed", dateTime(at)]),
    ...handed.map((at) => ["rights.link_handed", dateTime(at)]),
  ];
  return el("dl", {}, ...rows.flatMap(([key = "", text = ""]) => [el("dt", {}, t(key)), el("dd", {}, text)]));
}

/**
 * Why something cannot be erased yet, and when that is looked at again.
 * @param {MyData} data
 */
function keeping({ held, restrictions }) {
  const waits = restrictions.some(({ why, lifted_ms }) => why === "kept" && lifted_ms === null);
  if (!held || !waits) return [];
  return [el("p", {}, t("held.told", { why: sentence("held", held.category), when: dateTime(held.review_ms) }))];
}

/** @param {MyData["restrictions"][number]} one */
function restriction({ why, purposes, placed_ms, lifted_ms, lifted_by, reason }) {
  const what = purposes.length === 0 ? t("restriction.all") : list(purposes.map(labelOf));
  const said = sentence("restriction", why, { when: dateTime(placed_ms), what });
  if (lifted_ms === null) return said;
  return `${said} ${sentence("restriction.lifted", lifted_by, { when: dateTime(lifted_ms), reason })}`;
}

/**
 * What was asked for before, each with its state, and a button to take it back while it waits.
 * @param {OwnRequest[]} all
 * @param {(request: string) => Promise<unknown>} takeBack
 * @param {(error: unknown) => void} changed
 */
export function requests(all, takeBack, changed) {
  if (all.length === 0) return el("p", {}, t("rights.no_requests"));
  return el("ul", { class: "cards" }, ...all.map((one) => request(one, takeBack, changed)));
}

/**
 * @param {OwnRequest} one
 * @param {(request: string) => Promise<unknown>} takeBack
 * @param {(error: unknown) => void} changed
 */
function request(one, takeBack, changed) {
  const waits = WAITING.includes(one.state);
  const item = el(
    "li",
    {},
    el("p", {}, el("strong", {}, sentence("right", one.right)), ` · ${sentence("request_state", one.state)}`),
    el("p", {}, t("rights.received", { when: dateTime(one.received_ms) })),
  );
  if (one.text) item.append(el("p", { class: "written" }, one.text));
  if (one.wanted) item.append(el("p", { class: "written" }, t("desk.wanted", { name: one.wanted })));
  if (waits) item.append(el("p", {}, t("rights.due", { when: dateTime(one.due_ms) })));
  if (one.extension) item.append(el("p", { class: "written" }, t("rights.extended", { reason: one.extension })));
  if (one.answer) item.append(el("p", { class: "written" }, t("rights.answer", { answer: one.answer })));
  if (waits) {
    const back = async () => {
      try {
        await takeBack(one.request);
        changed(null);
      } catch (error) {
        changed(error);
      }
    };
    item.append(button(t("rights.take_back"), back, { "aria-label": `${t("rights.take_back")}: ${sentence("right", one.right)}` }));
  }
  return item;
}

/**
 * A right that needs nothing but to be meant.
 * @param {string} title
 * @param {string} text
 * @param {string} path
 * @param {string} secret
 */
function plain(title, text, path, secret) {
  return ask(title, text, [], async () => {
    await post(path, { secret });
  });
}

/**
 * @param {MyData} data
 * @param {string} secret
 */
function rectify(data, secret) {
  const name = el("input", { type: "text", id: "right-name", maxlength: 80, autocomplete: "off", value: data.name });
  const contact = el("input", {
    type: "text", id: "right-contact", maxlength: 200, autocomplete: "off", value: data.preferences.contact,
  });
  /** @type {[string, string, HTMLElement][]} */
  const fields = [["right-name", "rights.name", name], ["right-contact", "rights.contact_label", contact]];
  return ask("rights.rectify", "rights.rectify_explain", fields, async () => {
    await post("/api/my-data/rectify", { secret, name: name.value, contact: contact.value });
  }, "rights.save");
}

/**
 * Every purpose is ticked at first: who objects may leave some out.
 * @param {MyData} data
 * @param {string} secret
 * @param {About} about
 */
function object(data, secret, about) {
  const ids = [...data.recordings.flatMap(({ purposes }) => purposes), ...about.purposes.map(({ id }) => id)];
  const { group, ticked } = boxes(ids, labelOf);
  const text = lines("right-text");
  const key = randomKey();
  return ask("rights.object", "rights.object_explain", [["", "", group], ["right-text", "rights.why", text]], async () => {
    await post("/api/my-data/requests", { secret, right: "object", text: text.value, purposes: ticked(), key });
  }, "rights.send");
}

/**
 * @param {string} secret
 * @param {About} about
 */
function complain(secret, about) {
  const { authority, contact, dpo } = about.controller;
  const where = t("rights.complain_explain", { authority: authority[language()] ?? authority["en"] ?? "", contact, dpo });
  return inWords("complain", secret, [el("p", {}, where)]);
}

/**
 * @param {string} right
 * @param {string} secret
 * @param {Node[]} [explained]
 */
function inWords(right, secret, explained) {
  const text = lines("right-text");
  const key = randomKey();
  const said = explained ?? `rights.${right}_explain`;
  return ask(`rights.${right}`, said, [["right-text", "rights.words", text]], async () => {
    await post("/api/my-data/requests", { secret, right, text: text.value, key });
  }, "rights.send");
}

/**
 * @param {MyData} data
 * @param {string} secret
 * @param {(answer: Erasure) => void} gone
 */
async function erase(data, secret, gone) {
  const live = data.session.ended_ms === null;
  if (live) {
    const ended = await ask("rights.erase", "rights.erase_live", [], async () => {
      await post("/api/my-data/end-call", { secret });
    }, "rights.end_call");
    if (!ended) return false;
  }
  /** @type {Erasure | null} */
  let answer = null;
  const done = await ask("rights.erase", "rights.erase_explain", [], async () => {
    answer = await post("/api/my-data/erase", { secret, sure: true });
  }, "rights.erase_sure");
  const said = /** @type {Erasure | null} */ (answer);
  if (!done || !said) return live;
  if (said.state !== "erased") return true;
  gone(said);
  return false;
}

/**
 * What is said once everything is erased: in a sentence, with the certificates to keep.
 * @param {Erasure} answer
 * @param {(error: unknown) => void} failed
 */
export function erased(answer, failed) {
  const load = async (/** @type {string} */ id) => {
    const found = answer.certificates.find(({ certificate }) => certificate.certificate === id);
    if (!found) throw new Error(`no certificate ${id}`);
    return found;
  };
  return [
    el("h2", { tabindex: -1 }, t("rights.erased")),
    el("p", {}, t("rights.erased_explain", { when: dateTime(answer.at_ms), leaf: answer.leaf ?? "–" })),
    ...(answer.destructions.length ? [el("p", {}, t("rights.erased_keep"))] : []),
    ...destructions(answer.destructions, load, failed),
  ];
}
