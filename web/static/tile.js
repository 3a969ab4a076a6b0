// One person's picture in the call, with the name and what is switched off.

import { el, icon } from "./dom.js";
import { t } from "./i18n.js";

export class Tile {
  /** @param {boolean} own whether it is this person's own picture: mirrored and silent */
  constructor(own) {
    this.own = own;
    this.video = el("video", { autoplay: true, playsinline: true, muted: own });
    this.video.muted = own;
    this.video.disablePictureInPicture = true;
    this.initial = el("span", { class: "initial", "aria-hidden": "true" });
    this.name = el("span");
    this.silent = el("span", { class: "silent" });
    this.caption = el("figcaption", {}, this.name, this.silent);
    this.element = el("figure", { class: own ? "tile own" : "tile" }, this.initial, this.video, this.caption);
  }

  /** @param {MediaStream | null} stream */
  setStream(stream) {
    if (this.video.srcObject === stream) return;
    this.video.srcObject = stream;
    // Refused only where nobody has clicked, and everyone came here by a click.
    if (stream) this.video.play().catch(() => undefined);
  }

  /**
   * @param {string} name
   * @param {{microphone: boolean, camera: boolean}} state
   * @param {string} note such as "reconnecting"
   */
  describe(name, state, note = "") {
    const label = this.own ? t("call.you") : name;
    this.video.setAttribute("aria-label", label);
    this.name.textContent = note ? `${label} – ${note}` : label;
    this.initial.textContent = (name.trim()[0] ?? "?").toUpperCase();
    this.element.classList.toggle("dark", !state.camera);
    this.silent.replaceChildren(
      ...(state.microphone ? [] : [icon("muted"), el("span", { class: "quiet" }, t("call.muted"))]),
    );
  }

  /**
   * Call once when the first picture has been drawn.
   * @param {() => void} then
   */
  onFirstFrame(then) {
    this.video.requestVideoFrameCallback(then);
  }
}
