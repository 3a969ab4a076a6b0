// A private link by a receipt: the file is chosen, sent, and checked by the server in full.

import { ApiError, post } from "./api.js";
import { byId, onClick } from "./dom.js";
import { t } from "./i18n.js";
import { explain } from "./shell.js";

/** What the server takes; a receipt of a consent is far smaller. */
const MOST = 256 * 1024;

/**
 * @param {(secret: string) => unknown} opened called with the new link's secret
 */
export function recover(opened) {
  const file = byId("lost-file", HTMLInputElement);
  const hint = byId("lost-hint", HTMLElement);
  onClick(byId("lost-open", HTMLButtonElement), async () => {
    const chosen = file.files?.[0];
    if (!chosen) {
      hint.textContent = t("receipt.choose");
      file.focus();
      return;
    }
    hint.textContent = "";
    if (chosen.size > MOST) {
      hint.textContent = t("error.receipt.invalid");
      return;
    }
    try {
      const { data_url } = await post("/api/my-data/by-receipt", { receipt: (await chosen.text()) || " " });
      await opened(new URL(data_url).hash.slice(1));
    } catch (error) {
      const nobody = error instanceof ApiError && error.code === "not_found";
      hint.textContent = nobody ? t("rights.receipt_gone") : explain(error);
    }
  });
}
