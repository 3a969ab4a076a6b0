// After the call: why it ended, one's private link, and what was agreed.

import { post } from "./api.js";
import { copies } from "./copy.js";
import { byId, button, onClick, show } from "./dom.js";
import { onLanguage, sentence, t } from "./i18n.js";
import { fetchMyData, secretOf, summary } from "./mydata.js";
import { saveReceipt } from "./save.js";
import { explain, say } from "./shell.js";

export class Ending {
  /**
   * @param {() => string} linkPath where a new private link is asked for
   * @param {() => string} receiptPath where a receipt is
   */
  constructor(linkPath, receiptPath) {
    this.reason = "";
    this.dataUrl = "";
    /** The event of this party's newest receipt, if this page knows of one. */
    this.event = "";
    this.receipt = button(t("receipt.save"), async () => {
      try {
        await saveReceipt(receiptPath(), { event: this.event });
      } catch (error) {
        say(explain(error));
      }
    });
    byId("end-heading", HTMLElement).after(this.receipt);
    copies(byId("end-link", HTMLInputElement), byId("end-copy", HTMLButtonElement));
    onClick(byId("end-new-link", HTMLButtonElement), async () => {
      try {
        this.dataUrl = (await post(linkPath())).data_url;
        await this.draw();
      } catch (error) {
        say(explain(error));
      }
    });
    onLanguage(() => void this.draw());
  }

  /**
   * @param {string} reason
   * @param {string} dataUrl the private link, "" when this page does not have it
   * @param {string} [event] what this party's newest receipt is about
   */
  open(reason, dataUrl, event = "") {
    this.event = event;
    this.reason = reason;
    this.dataUrl = dataUrl;
    document.body.classList.remove("in-call");
    show(byId("end", HTMLElement), true);
    void this.draw();
    byId("end-heading", HTMLElement).focus();
  }

  async draw() {
    if (!this.reason) return;
    byId("end-heading", HTMLElement).textContent = sentence("ended", this.reason);
    this.receipt.textContent = t("receipt.save");
    // With the private link each event has a receipt of its own, further down.
    show(this.receipt, this.event !== "" && this.dataUrl === "");
    show(byId("end-data", HTMLElement), this.dataUrl !== "");
    show(byId("end-no-link", HTMLElement), this.dataUrl === "");
    if (!this.dataUrl) return;
    byId("end-link", HTMLInputElement).value = this.dataUrl;
    const secret = secretOf(this.dataUrl);
    try {
      const data = await fetchMyData(secret);
      const changed = (/** @type {unknown} */ error) => (error ? say(explain(error)) : void this.draw());
      byId("end-summary", HTMLElement).replaceChildren(summary(data, secret, changed));
    } catch (error) {
      say(explain(error));
    }
  }
}
