// Which camera and which microphone: chosen in the lobby, remembered only if that is allowed.

/** @import {Media} from "./media.js" */

import { el } from "./dom.js";
import { t } from "./i18n.js";
import { onPreferences } from "./preferences.js";
import { DEVICES, recall, remember } from "./stored.js";

/** Kind of track -> the browser's name of the kind of device. */
const KINDS = /** @type {const} */ ([
  ["video", "videoinput"],
  ["audio", "audioinput"],
]);

/**
 * Ask for the devices of last time.
 * @param {Media} media
 */
export function recallDevices(media) {
  try {
    const found = JSON.parse(recall(DEVICES) ?? "{}");
    for (const [kind] of KINDS) {
      if (typeof found[kind] === "string") media.chosen[kind] = found[kind];
    }
  } catch {
    remember(DEVICES, "");
  }
}

/**
 * A select for each kind of which there is more than one. Call when the devices are open: before,
 * the browser does not say what they are called.
 * @param {Media} media
 * @param {(code: string) => void} say what is missing, as of `Media.open`
 * @returns {Promise<HTMLElement[]>}
 */
export async function devicePicker(media, say) {
  if (!navigator.mediaDevices) return [];
  const there = await navigator.mediaDevices.enumerateDevices();
  const selects = KINDS.map(([kind, name]) => {
    const devices = there.filter((one) => one.kind === name && one.deviceId);
    return devices.length > 1 ? picker(media, kind, devices, say) : null;
  }).filter((one) => one !== null);
  if (selects.length === 0) return [];
  onPreferences(() => keep(media));
  return [el("details", { class: "devices" }, el("summary", { "data-t": "devices.choose" }, t("devices.choose")), ...selects)];
}

/**
 * @param {Media} media
 * @param {"audio" | "video"} kind
 * @param {MediaDeviceInfo[]} devices
 * @param {(code: string) => void} say
 */
function picker(media, kind, devices, say) {
  const track = kind === "audio" ? media.audio : media.camera;
  const used = track?.getSettings().deviceId ?? media.chosen[kind];
  const select = el("select", {});
  devices.forEach(({ deviceId, label }, n) => {
    select.append(el("option", { value: deviceId, selected: deviceId === used }, label || String(n + 1)));
  });
  select.addEventListener("change", async () => {
    say(await media.choose(kind, select.value));
    keep(media);
  });
  return el("label", {}, el("span", { "data-t": `devices.${kind}` }, t(`devices.${kind}`)), select);
}

/** @param {Media} media */
function keep(media) {
  const { audio, video } = media.chosen;
  remember(DEVICES, audio || video ? JSON.stringify({ audio, video }) : "");
}
