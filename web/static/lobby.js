// Before the call: see oneself, switch off what should be off, and `Join call`.

/** @import {Media} from "./media.js" */

import { deviceTools } from "./controls.js";
import { devicePicker, recallDevices } from "./devices.js";
import { byId, onClick } from "./dom.js";
import { onLanguage, sentence } from "./i18n.js";

/**
 * Show the preview and ask for the devices.
 * @param {Media} media
 * @param {(clickedAt: number) => Promise<void>} join called on the click; may throw
 * @param {(error: unknown) => void} failed
 */
export function openLobby(media, join, failed) {
  const video = byId("preview", HTMLVideoElement);
  const note = byId("devices", HTMLElement);
  let missing = "";
  const draw = () => (note.textContent = missing ? sentence("devices", missing) : "");
  byId("lobby-tools", HTMLElement).replaceChildren(...deviceTools(media));
  recallDevices(media);
  onLanguage(draw);
  const say = (/** @type {string} */ code) => {
    missing = code;
    draw();
  };
  const show = () => (video.srcObject = media.camera ? new MediaStream([media.camera]) : null);
  const again = (/** @type {Event} */ event) => event instanceof CustomEvent && say(event.detail);
  media.addEventListener("tracks", show);
  media.addEventListener("camera", again);
  const opened = media.open().then((code) => {
    say(code);
    show();
    void devicePicker(media, say).then((picker) => note.before(...picker));
  });
  onClick(byId("join", HTMLButtonElement), async () => {
    const clickedAt = performance.now();
    try {
      await opened;
      await join(clickedAt);
      media.removeEventListener("tracks", show);
      media.removeEventListener("camera", again);
      video.srcObject = null;
    } catch (error) {
      failed(error);
    }
  });
}
