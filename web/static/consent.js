// The dialog `Recording consent`: what is asked, for what, and two equal buttons.

/** @import {Ask, NoticeText} from "./types.js" */

import { announce, button, el } from "./dom.js";
import { LANGUAGES, language, onLanguage, t } from "./i18n.js";
import { isGenuine, render, ticked } from "./notice.js";
import { closeSheet, countdown, openSheet } from "./sheet.js";
import { switchLanguage } from "./shell.js";

/**
 * @typedef {object} Answers
 * @property {number} seconds how long there is to answer, anew each time that more is asked for
 * @property {(request: string, notice: NoticeText) => void} shown
 * @property {(request: string, notice: NoticeText, purposes: string[]) => Promise<void>} allow
 * @property {(request: string) => Promise<void>} decline
 * @property {(request: string) => void} moreTime
 * @property {() => void} forged the text is not the one announced: nothing can be answered
 */

export class ConsentDialog {
  /** @param {Answers} answers */
  constructor(answers) {
    this.answers = answers;
    /** @type {Ask | null} */
    this.ask = null;
    /** @type {NoticeText | null} */
    this.notice = null;
    /** @type {HTMLElement | null} */
    this.sheet = null;
    this.deadline = 0;
    this.warned = false;
    this.answered = false;
    onLanguage(() => void this.reopen());
  }

  /**
   * The request as it stands now: opened when it is new, else only its deadline moves.
   * @param {Ask} ask
   */
  async update(ask) {
    const isNew = this.ask?.request !== ask.request;
    this.ask = ask;
    this.deadline = performance.now() + ask.deadline_ms;
    if (ask.deadline_ms > ask.warn_ms) this.warned = false;
    if (isNew) {
      this.answered = false;
      await this.open();
    }
  }

  close() {
    this.ask = null;
    this.notice = null;
    closeSheet(this.sheet);
    this.sheet = null;
  }

  /** The language changed: the same request in other words, and nothing ticked in it yet. */
  async reopen() {
    if (!this.ask || !this.sheet || this.answered) return;
    closeSheet(this.sheet);
    await this.open();
  }

  async open() {
    const ask = this.ask;
    if (!ask) return;
    const notice = ask.notices.find((one) => one.language === language()) ?? ask.notices[0];
    if (!notice || !(await isGenuine(notice))) {
      this.close();
      this.answers.forged();
      return;
    }
    // While the hash was computed the request may have ended, or another may have come.
    if (this.ask?.request !== ask.request || (this.sheet?.isConnected && this.notice === notice)) return;
    this.notice = notice;
    const body = render(notice.text, notice.language, true);
    const left = el("p", { class: "left", role: "timer", "aria-live": "off" });
    const more = button(t("consent.more_time"), () => this.answers.moreTime(ask.request), { class: "plain" });
    const hint = el("p", { class: "hint", "aria-live": "polite" });
    const allow = button(t("consent.allow"), () => this.allow(body, hint), { class: "answer" });
    const decline = button(t("consent.decline"), () => this.decline(), { class: "answer" });
    // Never dimmed: the two answers look equal, ticked or not. Without a tick the hint says why.
    body.addEventListener("change", () => {
      if (ticked(body).length > 0) hint.textContent = "";
    });
    this.sheet = openSheet(
      t("consent.title"),
      this.languages(ask, notice),
      body,
      el(
        "div",
        { class: "foot" },
        hint,
        el("div", { class: "time" }, left, more),
        el("div", { class: "answers" }, allow, decline),
      ),
    );
    countdown(this.sheet, () => this.deadline, (seconds) => this.count(seconds, left, more));
    this.answers.shown(ask.request, notice);
  }

  /**
   * @param {Ask} ask
   * @param {NoticeText} notice
   */
  languages(ask, notice) {
    if (ask.notices.length < 2) return "";
    const names = /** @type {Record<string, string>} */ (LANGUAGES);
    const select = el("select", { "aria-label": t("consent.language") });
    for (const { language: one } of ask.notices) {
      select.append(el("option", { value: one, lang: one, selected: one === notice.language }, names[one] ?? one));
    }
    select.addEventListener("change", () => void switchLanguage(select.value));
    return el("div", { class: "choose-language" }, select);
  }

  /**
   * @param {number} seconds
   * @param {HTMLElement} left
   * @param {HTMLElement} more
   */
  count(seconds, left, more) {
    const warning = seconds * 1000 <= (this.ask?.warn_ms ?? 0);
    left.textContent = warning ? t("consent.left", { n: seconds }) : t("consent.silence", { n: this.answers.seconds });
    // Hidden but not gone: the buttons below must not move under a finger.
    more.style.visibility = warning ? "visible" : "hidden";
    if (warning && !this.warned) {
      this.warned = true;
      announce(t("consent.left", { n: seconds }));
    }
  }

  /**
   * @param {HTMLElement} body
   * @param {HTMLElement} hint
   */
  async allow(body, hint) {
    const purposes = ticked(body);
    const { ask, notice } = this;
    if (!ask || !notice) return;
    if (purposes.length === 0) {
      hint.textContent = t("consent.tick_one");
      return;
    }
    this.answer();
    await this.answers.allow(ask.request, notice, purposes);
  }

  async decline() {
    const { ask } = this;
    if (!ask) return;
    this.answer();
    await this.answers.decline(ask.request);
  }

  answer() {
    this.answered = true;
    closeSheet(this.sheet);
    this.sheet = null;
  }
}
