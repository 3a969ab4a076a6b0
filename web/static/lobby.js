// Before the call: see oneself, switch off what should be off, and `Join call`.

/** @import {Media} from "./media.js" */

import { deviceTools } from "./controls.js";
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
  onLanguage(draw);
  const opened = media.open().then((code) => {
    missing = code;
    draw();
    if (media.camera) video.srcObject = new MediaStream([media.camera]);
  });
  onClick(byId("join", HTMLButtonElement), async () => {
    const clickedAt = performance.now();
    try {
      await opened;
      await join(clickedAt);
      video.srcObject = null;
    } catch (error) {
      failed(error);
    }
  });
}
