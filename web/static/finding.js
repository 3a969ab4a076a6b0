// Finding whoever wrote to the desk, by name or contact, and entering what they ask for.

/** @import {DeskPerson} from "./types.js" */

import { post } from "./api.js";
import { enter } from "./desk.js";
import { announce, button, el, onClick, show } from "./dom.js";
import { dateTime, sentence, t } from "./i18n.js";
import { explain } from "./shell.js";

export class Finder {
  /** @type {DeskPerson[]} */
  #found = [];
  /** Where the answer before said to go on. @type {string | null} */
  #next = null;
  #looked = "";
  /** Which looking it is: an answer to an earlier one comes too late. */
  #turn = 0;
  #text = el("input", { type: "text", id: "find-text", maxlength: 200, autocomplete: "off", spellcheck: "false" });
  #label = el("label", { for: "find-text" });
  #find = el("button", { type: "submit", disabled: true });
  #more = el("button", { type: "button" });
  #said = el("p", { class: "hint", role: "status" });
  #list = el("ul", { class: "cards" });

  /**
   * @param {HTMLElement} place
   * @param {string[]} purposes what can be objected to
   * @param {(purpose: string) => string} labelOf
   * @param {() => unknown} changed called when a request was entered
   */
  constructor(place, purposes, labelOf, changed) {
    this.purposes = purposes;
    this.labelOf = labelOf;
    this.changed = changed;
    const form = el("form", { class: "receipt-form" }, this.#label, this.#text, this.#find);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#begin();
    });
    onClick(this.#more, () => this.#go());
    this.#find.disabled = false;
    place.replaceChildren(form, this.#said, this.#list, this.#more);
    this.draw();
  }

  /** Draw it anew, in the page's language. */
  draw() {
    this.#label.textContent = t("finding.text");
    this.#find.textContent = t("finding.find");
    this.#more.textContent = t("finding.more");
    this.#list.setAttribute("aria-label", t("finding.found"));
    show(this.#more, this.#next !== null);
    show(this.#list, this.#found.length > 0);
    this.#list.replaceChildren(...this.#found.map((one) => this.#row(one)));
    if (this.#looked) this.#said.textContent = this.#found.length ? "" : t("finding.none");
  }

  /** @param {DeskPerson} one */
  #row(one) {
    const { name, role, created_ms, contact } = one;
    const said = t("finding.one", { name: name || t("admin.nobody"), role: sentence("role", role), when: dateTime(created_ms) });
    const start = async () => {
      if (await enter(one, this.purposes, this.labelOf)) this.changed();
    };
    return el(
      "li",
      {},
      el("p", {}, said),
      ...(contact ? [el("p", {}, t("desk.contact", { contact }))] : []),
      button(t("desk.enter"), start, { "aria-label": `${t("desk.enter")}: ${said}` }),
    );
  }

  #begin() {
    this.#found = [];
    this.#next = null;
    this.#looked = this.#text.value;
    return this.#go();
  }

  async #go() {
    const text = this.#looked;
    const turn = ++this.#turn;
    try {
      const after = this.#next === null ? {} : { after: this.#next };
      /** @type {{people: DeskPerson[], next: string | null}} */
      const { people, next } = await post("/api/admin/people", { text, ...after });
      if (turn !== this.#turn) return;
      this.#found.push(...people);
      this.#next = next;
      this.draw();
      if (people.length) announce(`${t("finding.found")}: ${this.#found.length}`);
    } catch (error) {
      this.#said.textContent = explain(error);
    }
  }
}
