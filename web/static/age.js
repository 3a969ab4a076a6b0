// The statement of age beside `Join call`: joining says it, and declining costs nothing. Whoever
// declines is told kindly; the camera is let go, and nothing is sent or stored.

/** @import {About} from "./types.js" */
/** @import {Media} from "./media.js" */

import { byId, button, el, show } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

/**
 * @param {About} about
 * @param {Media} media
 */
export function statement(about, media) {
  const place = byId("age", HTMLElement);
  show(place, about.minimum_age > 0);
  if (!about.minimum_age) return;
  const draw = () => {
    const said = t("age.statement", { age: about.minimum_age });
    const decline = button(t("age.younger", { age: about.minimum_age }), () => declined(about, media), { class: "link" });
    place.replaceChildren(`${said} `, decline);
  };
  onLanguage(draw);
  draw();
}

/**
 * @param {About} about
 * @param {Media} media
 */
function declined(about, media) {
  media.close();
  show(byId("lobby", HTMLElement), false);
  const place = byId("younger", HTMLElement);
  const draw = () =>
    place.replaceChildren(
      el("h1", { tabindex: -1 }, t("age.heading")),
      el("p", {}, t("age.explain", { age: about.minimum_age })),
      el("p", {}, t("age.contact", { contact: about.controller.contact })),
    );
  onLanguage(draw);
  draw();
  show(place, true);
  place.querySelector("h1")?.focus();
}
