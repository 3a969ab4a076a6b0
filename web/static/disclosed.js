// To whom something about a person was disclosed, as the person is told.

/** @import {Disclosed} from "./types.js" */

import { el } from "./dom.js";
import { dateTime, list, sentence, t } from "./i18n.js";

/**
 * @param {Disclosed[]} disclosures
 * @returns {HTMLElement}
 */
export function disclosed(disclosures) {
  const items = disclosures.map((one) =>
    el(
      "li",
      {},
      el("time", {}, dateTime(one.at_ms)),
      ` ${t("disclosed.told", {
        to: one.given_to,
        basis: sentence("disclosure.basis", one.basis),
        text: one.basis_text || "–",
        what: list(one.parts.map((part) => sentence("disclosure.part", part))),
        reason: one.reason || "–",
      })}`,
    ),
  );
  return el(
    "section",
    {},
    el("h2", {}, t("disclosed.heading")),
    items.length ? el("ol", { class: "story" }, ...items) : el("p", {}, t("disclosed.none")),
  );
}
