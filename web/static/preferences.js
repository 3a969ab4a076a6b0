// The choice about everything that is not necessary: asked for once, changed at any time, from
// every page. Refusing acts here first and is written down then; allowing is written down first.

/** @import {Preferences} from "./types.js" */

import { get, post } from "./api.js";
import { BASE } from "./base.js";
import { button, el } from "./dom.js";
import { dateTime, onLanguage, t } from "./i18n.js";
import { openModal } from "./modal.js";
import { closeSheet, openSheet } from "./sheet.js";
import { adopt, allow, keepRefusal, readAlone, refusal } from "./stored.js";

/** The classes that there is a choice about. */
const OPTIONAL = ["preferences", "analytics"];
const CHANNEL = "avsession-preferences";

/** @type {Preferences | null} */
let known = null;
/** The other tabs of this browser; not stored anywhere. @type {BroadcastChannel | null} */
let others = null;
const changed = new EventTarget();

/** What the server says of this browser; null until it has, or when it could not. */
export function preferences() {
  return known;
}

/**
 * Call when the choice has changed, here or in another tab.
 * @param {() => void} listener
 */
export function onPreferences(listener) {
  changed.addEventListener("change", listener);
}

/**
 * Learn what was chosen. Without an answer nothing optional is read or kept.
 * @param {boolean} alone whether this page may connect to nothing
 */
export async function loadPreferences(alone) {
  if (alone) {
    readAlone();
    return;
  }
  others ??= listen();
  try {
    const left = refusal();
    const said = await get("/api/preferences");
    if (left === null) take(said);
    else {
      // Refused, and not heard of yet: it is said again, and holds whatever comes of that.
      take({ ...said, ask: false, allowed: ["necessary"] });
      await say(left);
    }
  } catch (error) {
    console.debug("preferences are not known", error);
  }
}

function listen() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }) => {
    // Until it is known what another tab chose, nothing is allowed here.
    allow(["necessary"]);
    if (data === "chosen") void loadPreferences(false);
  };
  return channel;
}

/** @param {Preferences} said */
function take(said) {
  const signal = said.signal || ("globalPrivacyControl" in navigator && navigator.globalPrivacyControl === true);
  known = signal ? { ...said, signal, ask: false, allowed: ["necessary"] } : said;
  adopt(known);
  changed.dispatchEvent(new Event("change"));
}

/**
 * Choose. What is not among the given goes at once, whatever becomes of the writing down.
 * @param {readonly string[]} given
 */
export async function choose(given) {
  const before = (known?.allowed ?? []).filter((group) => OPTIONAL.includes(group));
  const left = before.filter((group) => given.includes(group));
  if (left.length < before.length) {
    keepRefusal(left);
    allow(["necessary", ...left]);
    others?.postMessage("choosing");
  }
  await say(given);
}

/**
 * Say it to the server, and then to the other tabs.
 * @param {readonly string[]} given
 */
async function say(given) {
  try {
    const said = await post("/api/preferences", { given });
    keepRefusal(null);
    take(said);
  } finally {
    others?.postMessage("chosen");
  }
}

/**
 * Show the question, if it is open. In the page's foot the settings open at once, where the link to
 * the cookie page would leave a call.
 * @param {(error: unknown) => void} failed
 */
export function offer(failed) {
  const foot = document.querySelector("body > footer");
  const link = foot?.querySelector('a[href$="/cookies"]');
  if (!foot || !(link instanceof HTMLElement) || !known) return;
  let open = link;
  if (location.pathname !== `${BASE}/cookies`) {
    const way = (/** @type {string} */ place) =>
      button(t("footer.cookies"), () => openSettings().catch(failed), { class: place, "data-t": "footer.cookies" });
    open = way("link");
    link.replaceWith(open);
    // In a call on a phone the foot is hidden; then this one is shown.
    document.querySelector(".top .language")?.before(way("link without-foot"));
  }
  const place = el("section", { id: "asking", class: "asking" });
  foot.before(place);
  const answer = (/** @type {string[]} */ given) => choose(given).then(() => open.focus()).catch(failed);
  const draw = () => {
    place.hidden = !known?.ask;
    place.setAttribute("aria-label", t("preferences.title"));
    place.replaceChildren(
      el("p", {}, t("preferences.ask"), " ", el("a", { href: `${BASE}/cookies` }, t("preferences.more"))),
      el(
        "div",
        { class: "answers" },
        button(t("preferences.none"), () => answer([]), { class: "answer" }),
        button(t("preferences.all"), () => answer(OPTIONAL), { class: "answer" }),
      ),
    );
  };
  draw();
  onLanguage(draw);
  onPreferences(draw);
}

/** The settings over whatever page this is. */
export async function openSettings() {
  const boxes = new Boxes();
  const chosen = document.body.classList.contains("in-call") ? await inSheet(boxes) : await inModal(boxes);
  if (chosen) await choose(boxes.given(chosen));
}

/** @param {Boxes} boxes */
function inModal(boxes) {
  return openModal(t("preferences.title"), (close) => [
    el("h2", {}, t("preferences.title")),
    ...boxes.elements,
    list(),
    ...answers(boxes, (value) => close(t(`preferences.${value}`), value), close(t("preferences.close"), "")),
  ]);
}

/**
 * In a call: everything else stays within reach.
 * @param {Boxes} boxes
 * @returns {Promise<string>}
 */
function inSheet(boxes) {
  if (document.querySelector(".sheet")) return Promise.resolve("");
  return new Promise((resolve) => {
    const end = (/** @type {string} */ value) => {
      closeSheet(sheet);
      resolve(value);
    };
    const sheet = openSheet(
      t("preferences.title"),
      el("h2", {}, t("preferences.title")),
      ...boxes.elements,
      list(),
      el(
        "div",
        { class: "foot" },
        ...answers(
          boxes,
          (value) => button(t(`preferences.${value}`), () => end(value), { class: "answer" }),
          button(t("preferences.close"), () => end(""), { class: "answer" }),
        ),
      ),
    );
    sheet.addEventListener("keydown", ({ key }) => key === "Escape" && end(""));
  });
}

function list() {
  const link = el("a", { href: `${BASE}/cookies`, target: "_blank", rel: "noopener" }, t("preferences.list"));
  return el("p", {}, link);
}

/**
 * The settings on a page of their own.
 * @param {HTMLElement} place
 * @param {(error: unknown) => void} done called after a choice, with what went wrong or null
 */
export function drawSettings(place, done) {
  const boxes = new Boxes();
  const act = (/** @type {string} */ value) => choose(boxes.given(value)).then(() => done(null)).catch(done);
  place.replaceChildren(
    ...boxes.elements,
    ...answers(boxes, (value) => button(t(`preferences.${value}`), () => act(value), { class: "answer" })),
  );
}

/**
 * Two answers that look alike, and one for who wants to look closer. With the browser's own no
 * there is nothing to answer.
 * @param {Boxes} boxes
 * @param {(value: "none" | "all" | "save") => HTMLButtonElement} make
 * @param {...HTMLElement} after beside the last one
 */
function answers(boxes, make, ...after) {
  const rows = boxes.open ? [[make("none"), make("all")], [make("save"), ...after]] : [after];
  return rows.filter((row) => row.length > 0).map((row) => el("div", { class: "answers" }, ...row));
}

/** A line for each class, and a box to tick where there is a choice. */
class Boxes {
  constructor() {
    this.open = known !== null && !known.signal;
    /** @type {HTMLInputElement[]} */
    this.inputs = [];
    this.elements = [
      el("p", {}, t("preferences.explain")),
      this.line("necessary", t("preferences.always")),
      ...OPTIONAL.map((group) => this.choice(group)),
      this.line("marketing", t("preferences.no_marketing")),
      el("p", { class: "hint" }, state()),
    ];
  }

  /**
   * @param {string} group
   * @param {string} said
   */
  line(group, said) {
    return el("div", { class: "tick still" }, words(group, said));
  }

  /** @param {string} group */
  choice(group) {
    if (!this.open) return this.line(group, t("preferences.off"));
    const checked = known?.allowed.includes(group) ?? false;
    const input = el("input", { type: "checkbox", value: group, checked });
    this.inputs.push(input);
    return el("label", { class: "tick" }, input, words(group, ""));
  }

  /**
   * The classes that an answer allows.
   * @param {string} answer
   */
  given(answer) {
    if (answer === "all") return OPTIONAL;
    if (answer !== "save") return [];
    return this.inputs.filter((input) => input.checked).map((input) => input.value);
  }
}

/**
 * @param {string} group
 * @param {string} said
 */
function words(group, said) {
  const explained = t(`preferences.group_${group}`);
  return el("span", {}, el("strong", {}, t(`preferences.name_${group}`)), ` – ${explained} ${said}`.trimEnd());
}

/** What was chosen, when, and for how long. */
export function state() {
  if (!known) return t("preferences.unknown");
  if (known.signal) return t("preferences.signal");
  const { choice } = known;
  if (!choice) return t("preferences.not_yet");
  const said = choice.given.length ? choice.given.map((one) => t(`preferences.name_${one}`)).join(", ") : t("preferences.nothing");
  return t("preferences.chosen", { said, when: dateTime(choice.at_ms), until: dateTime(choice.until_ms), policy: choice.policy, leaf: choice.leaf });
}
