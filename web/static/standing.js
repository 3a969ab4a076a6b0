// How the call stands, in one sentence: what is lost, what goes on, what is being done about it.

/** `Connected again.` is shown for so long. */
const BACK_MS = 4_000;

/**
 * @typedef {object} Situation
 * @property {boolean} server whether the server is connected
 * @property {boolean} broken whether a connection to another party was there and is not now
 * @property {boolean} gaveUp whether it is not tried any more
 * @property {boolean} away whether that party is not connected to the server either
 */

/**
 * The key of the sentence; "" when there is nothing to say.
 * @param {Situation} situation
 */
export function sentenceFor({ server, broken, gaveUp, away }) {
  if (!server) return broken ? "call.offline" : "call.signaling_lost";
  if (!broken) return away ? "call.away" : "";
  if (away) return "call.away_broken";
  return gaveUp ? "call.gave_up" : "call.interrupted";
}

export class Standing {
  /** @param {(key: string) => void} show the key of a sentence, "" to take it away */
  constructor(show) {
    this.show = show;
    this.key = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Situation} situation */
  see(situation) {
    const key = sentenceFor(situation);
    if (key === this.key) return;
    clearTimeout(this.timer);
    // That the other one is back says the list of people; that we are is said.
    const back = key === "" && this.key !== "call.away";
    this.key = key;
    this.show(back ? "call.back" : key);
    if (back) this.timer = setTimeout(() => this.show(""), BACK_MS);
  }

  end() {
    clearTimeout(this.timer);
  }
}
