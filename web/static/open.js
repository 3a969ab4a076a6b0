// Opening a recording: a reason and a consented purpose first, then the player.

/** @import {AdminRecording, Opened} from "./types.js" */

import { post } from "./api.js";
import { byId, button, el } from "./dom.js";
import { dateTime, sentence, t } from "./i18n.js";
import { Player } from "./player.js";
import { explain } from "./shell.js";
import { confirmed } from "./stepup.js";

/** @type {Player | null} */
let player = null;

/**
 * @param {AdminRecording} recording
 * @param {(purpose: string) => string} labelOf
 */
export function openRecording(recording, labelOf) {
  const dialog = el("dialog", { "aria-label": t("open.title") });
  const reason = el("input", { type: "text", id: "reason", maxlength: 500, autocomplete: "off", required: true });
  const purpose = el("select", { id: "purpose" });
  const usable = recording.purposes.filter((id) => !recording.expired.includes(id));
  for (const id of usable) purpose.append(el("option", { value: id }, labelOf(id)));
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const submit = async () => {
    if (reason.value.trim().length < 3) {
      hint.textContent = t("open.reason_missing");
      reason.focus();
      return;
    }
    try {
      const said = { reason: reason.value.trim(), purpose: purpose.value };
      /** @type {Opened} */
      const opened = await confirmed("play", recording.recording, () =>
        post(`/api/admin/recordings/${recording.recording}/open`, said),
      );
      dialog.close();
      play(recording, opened);
    } catch (error) {
      hint.textContent = explain(error);
    }
  };
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", {}, t("open.heading")),
    el("p", {}, t("open.explain")),
    el("label", { for: "reason" }, t("open.reason")),
    reason,
    el("label", { for: "purpose" }, t("open.purpose")),
    purpose,
    hint,
    el(
      "div",
      { class: "answers" },
      el("button", { type: "submit", class: "answer strong" }, t("open.open")),
      button(t("request.cancel"), () => dialog.close(), { class: "answer" }),
    ),
  );
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  dialog.append(form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * @param {AdminRecording} recording
 * @param {Opened} opened
 */
function play(recording, opened) {
  player?.close();
  const title = `${dateTime(recording.created_ms)} · ${sentence("state", recording.state)}`;
  player = new Player(opened, title);
  byId("player-place", HTMLElement).replaceChildren(player.element);
  player.element.focus();
  player.element.scrollIntoView({ block: "start" });
}
