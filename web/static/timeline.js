// A recording as one picture: presence, consent, pauses, gaps and stored intervals on one scale, and
// the same facts as a table. What the picture says by shape and place, the table says in words.

/** @import {Span, Timeline} from "./types.js" */

import { el } from "./dom.js";
import { dateTime, sentence, t, timeOfDay } from "./i18n.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 20;
/** Thinner could not be seen. */
const THINNEST = 3;

/**
 * @param {Timeline} line
 * @returns {HTMLElement[]}
 */
export function timeline(line) {
  return [
    el("h2", {}, t("timeline.title")),
    el("p", { class: "digest" }, line.recording),
    verdict(line),
    picture(line),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": t("timeline.scroll") },
      table(line),
    ),
  ];
}

/** @param {Timeline} line */
function verdict(line) {
  if (line.ok) {
    const key = line.erased ? "timeline.erased" : line.finished ? "timeline.ok" : "timeline.ok_so_far";
    return el("p", { class: "verdict", role: "status" }, `✓ ${t(key)}`);
  }
  const found = line.findings.map(({ step, where, what }) =>
    el("li", {}, `${sentence("step", String(step))}: `, el("span", { lang: "en", class: "digest" }, `${where}: ${what}`)),
  );
  return el(
    "div",
    { class: "verdict wrong", role: "alert" },
    el("p", {}, `✗ ${t("timeline.not_ok")}`),
    el("ol", {}, ...found),
  );
}

/** @param {Timeline} line */
function picture(line) {
  const rows = line.parties.flatMap((party) => [
    row(t("timeline.row_present", { name: party.name }), line, [["present", party.presence]]),
    row(t("timeline.row_consent", { name: party.name }), line, [
      ["asked", party.consent.filter(({ what }) => what === "asked")],
      ["given", party.consent.filter(({ what }) => what === "given")],
      ["taken", party.consent.filter(({ what }) => what !== "asked" && what !== "given")],
    ]),
    row(t("timeline.row_stored", { name: party.name }), line, [
      ["stored", party.stored],
      ["gap", party.gaps],
    ]),
  ]);
  rows.push(row(t("timeline.row_pauses"), line, [["paused", line.pauses]]));
  const ends = [line.from_ms, (line.from_ms + line.to_ms) / 2, line.to_ms].map((at) => el("span", {}, timeOfDay(at)));
  const legend = ["present", "asked", "given", "taken", "stored", "gap", "paused"].map((kind) =>
    el("li", {}, bar({ from_ms: 0, to_ms: 100 }, [[kind, [{ from_ms: 0, to_ms: 100 }]]]), sentence("span", kind)),
  );
  return el(
    "div",
    { class: "timeline", "aria-hidden": "true" },
    ...rows,
    el("div", { class: "timeline-row" }, el("span", {}), el("div", { class: "timeline-scale number" }, ...ends)),
    el("ul", { class: "timeline-legend" }, ...legend),
  );
}

/**
 * @param {string} label
 * @param {Timeline} line
 * @param {[string, Span[]][]} kinds
 */
function row(label, line, kinds) {
  return el("div", { class: "timeline-row" }, el("span", {}, label), bar(line, kinds));
}

/**
 * @param {{from_ms: number, to_ms: number}} frame
 * @param {[string, Span[]][]} kinds what is drawn, the last on top
 */
function bar(frame, kinds) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "bar" });
  const at = (/** @type {number} */ ms) =>
    (Math.min(Math.max(ms, frame.from_ms), frame.to_ms) - frame.from_ms) * (WIDTH / (frame.to_ms - frame.from_ms));
  for (const [kind, spans] of kinds) {
    for (const span of spans) {
      const to = span.to_ms ?? frame.to_ms;
      if (to < frame.from_ms || span.from_ms > frame.to_ms) continue;
      const x = at(span.from_ms);
      const width = Math.max(at(to) - x, THINNEST);
      svg.append(...strokes(kind, Math.min(x, WIDTH - THINNEST), width));
    }
  }
  return svg;
}

/**
 * Each kind has a shape of its own, so that colour says nothing that the shape does not.
 * @param {string} kind
 * @param {number} x
 * @param {number} width
 */
function strokes(kind, x, width) {
  const tall = { present: [8, 4], asked: [6, 8], given: [2, 16], taken: [8, 4], stored: [0, 20], gap: [9, 2], paused: [2, 16] };
  const [y, height] = tall[/** @type {keyof typeof tall} */ (kind)] ?? [0, HEIGHT];
  return [shape("rect", { x, y: y ?? 0, width, height: height ?? HEIGHT, class: `span-${kind}` })];
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @param {Timeline} line */
function table(line) {
  const names = new Map(line.parties.map(({ party, name, role }) => [party, `${name} (${sentence("role", role)})`]));
  /** @type {{from_ms: number, to_ms: number | null, who: string, what: string}[]} */
  const facts = [];
  const add = (/** @type {Span} */ span, /** @type {string} */ who, /** @type {string} */ what) =>
    facts.push({ from_ms: span.from_ms, to_ms: span.to_ms, who, what });
  for (const party of line.parties) {
    const who = names.get(party.party) ?? "";
    for (const span of party.presence) add(span, who, sentence("span", "present"));
    for (const span of party.consent) add(span, who, sentence("answer", span.what));
    for (const span of party.stored) add(span, who, sentence("span", "stored"));
    for (const span of party.gaps) add(span, who, sentence("gap", span.reason));
  }
  for (const span of line.pauses) add(span, names.get(span.party ?? "") ?? "", sentence("span", "paused"));
  for (const span of line.open) add(span, "", t("timeline.gate", { generation: span.generation, leaf: span.leaf }));
  facts.sort((a, b) => a.from_ms - b.from_ms || (a.to_ms ?? Infinity) - (b.to_ms ?? Infinity));
  const head = ["timeline.from", "timeline.to", "timeline.who", "timeline.what"];
  return el(
    "table",
    { "aria-label": t("timeline.title"), class: "cards-when-narrow" },
    el("thead", {}, el("tr", {}, ...head.map((key) => el("th", { scope: "col" }, t(key))))),
    el(
      "tbody",
      {},
      ...facts.map(({ from_ms, to_ms, who, what }) =>
        el(
          "tr",
          {},
          cell("timeline.from", dateTime(from_ms), "number"),
          cell("timeline.to", to_ms === null ? t("timeline.goes_on") : dateTime(to_ms), "number"),
          cell("timeline.who", who || "–"),
          cell("timeline.what", what),
        ),
      ),
    ),
  );
}

/**
 * A cell that says on a narrow screen which column it is of.
 * @param {string} key of the column's heading
 * @param {string | Node} content
 * @param {string} [kind]
 */
export function cell(key, content, kind) {
  return el("td", { class: kind, "data-label": t(key) }, content);
}
