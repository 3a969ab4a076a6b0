// After the call: why it ended, one's private link, and what was agreed.

import { post } from "./api.js";
import { copies } from "./copy.js";
import { byId, onClick, show } from "./dom.js";
import { onLanguage, sentence } from "./i18n.js";
import { fetchMyData, secretOf, summary } from "./mydata.js";
import { explain, say } from "./shell.js";

export class Ending {
  /** @param {() => string} linkPath where a new private link is asked for */
  constructor(linkPath) {
    this.reason = "";
    this.dataUrl = "";
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
   */
  open(reason, dataUrl) {
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
