// One's own data as an archive: asked for, prepared while one waits, downloaded by the browser itself.

/** @import {Export, Exports} from "./types.js" */

import { post } from "./api.js";
import { BASE } from "./base.js";
import { announce, button, el, show } from "./dom.js";
import { dateTime, language, sentence, size, t } from "./i18n.js";
import { explain } from "./shell.js";

const EVERY_MS = 1_000;
/** What counts for how many there may be; of the others one is told what became of them. */
const ALIVE = ["waiting", "ready"];

export class ExportPanel {
  /** @type {Exports | null} */
  #found = null;
  #secret = "";
  #timer = 0;
  /** What is said when something went wrong. */
  #said = el("p", { class: "message", role: "alert" });
  /** @type {Map<string, HTMLProgressElement>} */
  #bars = new Map();

  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
  }

  /**
   * Show the exports of this private link's holder; "": of nobody.
   * @param {string} secret
   */
  async use(secret) {
    if (secret === this.#secret) return this.draw();
    this.#secret = secret;
    this.#found = null;
    clearTimeout(this.#timer);
    if (secret) await this.#guarded(() => this.#fetch());
    else this.draw();
  }

  /** Draw it anew, in the page's language. */
  draw() {
    show(this.place, this.#found !== null);
    if (!this.#found) return;
    const { exports, keep_days, other_party, at_once } = this.#found;
    const waiting = exports.some(({ state }) => state === "waiting");
    const ask = button(t("export.ask"), () => this.#guarded(() => this.#start()), { class: "strong" });
    ask.disabled = waiting || exports.filter(({ state }) => ALIVE.includes(state)).length >= at_once;
    this.#bars.clear();
    this.place.replaceChildren(
      el("h2", {}, t("export.heading")),
      el("p", {}, t(other_party === "always" ? "export.explain_both" : "export.explain")),
      el("p", { class: "hint" }, t("export.kept", { days: String(keep_days), most: String(at_once) })),
      this.#said,
      el("ul", { class: "cards" }, ...exports.map((one) => this.#row(one))),
      ask,
    );
  }

  /** @param {Export} one */
  #row(one) {
    const said = sentence("export.state", one.state, { when: dateTime(one.expires_ms) });
    const item = el("li", {}, el("p", {}, `${dateTime(one.requested_ms)} · ${said}`));
    if (one.state === "waiting") {
      const bar = el("progress", { "aria-label": t("export.progress"), max: 1 });
      this.#bars.set(one.export, bar);
      progress(bar, one);
      item.append(bar);
    }
    if (one.state === "ready") {
      item.append(
        el("p", {}, t("export.until", { when: dateTime(one.expires_ms) })),
        el("p", { class: "digest" }, `SHA-256 (manifest.json) ${one.digest}`),
        button(t("export.download", { size: size(one.size) }), () => this.#guarded(() => this.#download(one)), { class: "strong" }),
      );
    }
    if (one.state !== "waiting") {
      const name = t(one.state === "ready" ? "export.remove" : "export.dismiss");
      item.append(" ", button(name, () => this.#guarded(() => this.#remove(one))));
    }
    return item;
  }

  /** @param {() => Promise<unknown>} action */
  async #guarded(action) {
    try {
      this.#said.textContent = "";
      await action();
    } catch (error) {
      this.#said.textContent = explain(error);
    }
  }

  async #start() {
    await post("/api/my-data/exports/start", { secret: this.#secret, language: language() });
    await this.#fetch();
  }

  /** @param {Export} one */
  async #remove(one) {
    await post("/api/my-data/exports/remove", { secret: this.#secret, export: one.export });
    await this.#fetch();
  }

  /**
   * The browser downloads, and takes up what was interrupted, by itself: the key is in a cookie.
   * @param {Export} one
   */
  async #download(one) {
    const { url } = await post("/api/my-data/exports/allow", { secret: this.#secret, export: one.export });
    el("a", { href: BASE + url, download: "" }).click();
  }

  async #fetch() {
    const secret = this.#secret;
    /** @type {Exports} */
    const found = await post("/api/my-data/exports", { secret });
    if (secret !== this.#secret) return;
    const before = this.#found;
    this.#found = found;
    if (states(before) === states(found)) found.exports.forEach((one) => progress(this.#bars.get(one.export), one));
    else this.draw();
    const was = new Set(before?.exports.filter(({ state }) => state === "waiting").map((one) => one.export));
    for (const { export: name, state } of found.exports) {
      if (was.has(name) && state === "ready") announce(t("export.is_ready"));
      if (was.has(name) && state === "failed") announce(t("export.has_failed"));
    }
    clearTimeout(this.#timer);
    if (found.exports.some(({ state }) => state === "waiting")) {
      this.#timer = setTimeout(() => void this.#guarded(() => this.#fetch()), EVERY_MS);
    }
  }
}

/** @param {Exports | null} found */
function states(found) {
  return found?.exports.map((one) => `${one.export} ${one.state}`).join() ?? null;
}

/**
 * How far it is; without a value the bar says that it is not known.
 * @param {HTMLProgressElement | undefined} bar
 * @param {Export} one
 */
function progress(bar, one) {
  if (!bar || !one.total) return;
  bar.value = one.done / one.total;
}
