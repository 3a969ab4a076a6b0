// The ways to this page, in its person's hands: a new private link, and whether receipts open it.

/** @import {MyData} from "./types.js" */

import { post } from "./api.js";
import { ask } from "./ask.js";
import { button, el } from "./dom.js";
import { t } from "./i18n.js";

/**
 * @param {MyData} data
 * @param {string} secret
 * @param {(error: unknown) => void} changed
 * @param {(secret: string) => unknown} renewed called with the new link's secret
 */
export function waysIn(data, secret, changed, renewed) {
  const closed = data.receipts === "closed";
  const act = closed ? "ways.open" : "ways.close";
  const receipts = async () => {
    const done = await ask(act, `${act}_explain`, [], async () => {
      await post("/api/my-data/receipts", { secret, closed: !closed });
    });
    if (done) changed(null);
  };
  const renew = async () => {
    let fresh = "";
    await ask("ways.renew", "ways.renew_explain", [], async () => {
      const { data_url } = await post("/api/my-data/renew", { secret });
      fresh = new URL(data_url).hash.slice(1);
    });
    if (fresh) await renewed(fresh);
  };
  return el(
    "section",
    {},
    el("h2", {}, t("ways.heading")),
    el("p", {}, t(closed ? "ways.closed" : "ways.explain")),
    el("div", { class: "rights" }, button(t("ways.renew"), renew), button(t(act), receipts)),
  );
}
