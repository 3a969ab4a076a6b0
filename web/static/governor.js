// Keeps the leg within what was granted, and out of the call's way when the uplink is short.

const EVERY_MS = 2_000;
const FLOOR = 100_000;
/** Each step back up is small, and comes after a while of quiet: the call must not feel it. */
const QUIET_ROUNDS = 4;

export class Governor {
  /**
   * @param {RTCPeerConnection} leg
   * @param {() => RTCPeerConnection | null} call
   * @param {{height: number, bitrate: number}} most
   */
  constructor(leg, call, most) {
    this.leg = leg;
    this.call = call;
    this.most = most;
    this.bitrate = most.bitrate;
    this.quiet = 0;
    this.timer = setInterval(() => void this.round(), EVERY_MS);
    void this.apply();
  }

  stop() {
    clearInterval(this.timer);
  }

  async round() {
    const call = this.call();
    const limited = call !== null && (await isShort(call));
    if (limited) {
      this.quiet = 0;
      this.bitrate = Math.max(FLOOR, Math.round(this.bitrate / 2));
    } else if (this.bitrate < this.most.bitrate && ++this.quiet >= QUIET_ROUNDS) {
      this.bitrate = Math.min(this.most.bitrate, Math.round(this.bitrate * 1.25));
    }
    // The picture may have changed its size: a phone was turned, a window shared.
    await this.apply();
  }

  async apply() {
    const sender = this.leg.getSenders().find(({ track }) => track?.kind === "video");
    if (!sender?.track) return;
    const parameters = sender.getParameters();
    const [encoding] = parameters.encodings ?? [];
    if (!encoding) return;
    const settings = sender.track.getSettings();
    // The shorter side counts: a phone held upright sends 720x1280.
    const height = Math.min(settings.height ?? 0, settings.width ?? 0);
    const scale = Math.max(1, height / this.most.height);
    if (encoding.maxBitrate === this.bitrate && encoding.scaleResolutionDownBy === scale) return;
    encoding.maxBitrate = this.bitrate;
    encoding.scaleResolutionDownBy = scale;
    encoding.priority = "low";
    encoding.networkPriority = "low";
    // The leg may be closing; then there is nothing left to set.
    await sender.setParameters(parameters).catch(() => undefined);
  }
}

/**
 * Whether the call's own picture suffers from the uplink.
 * @param {RTCPeerConnection} call
 */
async function isShort(call) {
  let short = false;
  (await call.getStats()).forEach((report) => {
    if (report.type !== "outbound-rtp" || report.kind !== "video") return;
    if (report.qualityLimitationReason === "bandwidth") short = true;
  });
  return short;
}
