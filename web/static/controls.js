// The buttons for one's own devices, in the lobby and in the call alike.

/** @import {Media} from "./media.js" */

import { el, icon, onClick } from "./dom.js";
import { t } from "./i18n.js";

/**
 * A round button with an icon. Its name stays the same whether it is pressed or not; `pressed`
 * says which.
 * @param {string} key of its name
 * @param {string} picture
 * @param {() => unknown} action
 */
export function tool(key, picture, action) {
  const caption = el("span", { class: "caption", "data-t": key }, t(key));
  const made = el("button", { type: "button", class: "tool" }, icon(picture), caption);
  onClick(made, action);
  return made;
}

/**
 * Mute and camera, kept in step with what is so.
 * @param {Media} media
 */
export function deviceTools(media) {
  const mute = tool("call.mute", "microphone", () => media.setMicrophone(!media.microphoneOn));
  const camera = tool("call.camera_off", "camera", () => media.setCamera(!media.cameraOn));
  const refresh = () => {
    mute.setAttribute("aria-pressed", String(!media.microphoneOn));
    camera.setAttribute("aria-pressed", String(!media.cameraOn));
  };
  media.addEventListener("state", refresh);
  refresh();
  return [mute, camera];
}

/**
 * Share the screen, where the browser can.
 * @param {Media} media
 */
export function shareTool(media) {
  const share = tool("call.share", "screen", () => (media.screen ? media.unshare() : media.share()));
  const refresh = () => share.setAttribute("aria-pressed", String(media.screen !== null));
  media.addEventListener("state", refresh);
  refresh();
  share.hidden = !("getDisplayMedia" in (navigator.mediaDevices ?? {}));
  return share;
}
