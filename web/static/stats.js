// For tests and diagnosis: what the browser itself measures of the call.

/** @import {Room} from "./room.js" */

/**
 * @param {() => Room | null} room
 */
export function exposeStats(room) {
  window.avsessionStats = async () => {
    const now = room();
    let remoteFramesDecoded = 0;
    let remoteAudioEnergy = 0;
    for (const peer of now?.peers.values() ?? []) {
      (await peer.pc?.getStats())?.forEach((report) => {
        if (report.type !== "inbound-rtp") return;
        if (report.kind === "video") remoteFramesDecoded += report.framesDecoded ?? 0;
        if (report.kind === "audio") remoteAudioEnergy += report.totalAudioEnergy ?? 0;
      });
    }
    return {
      remoteFramesDecoded,
      remoteAudioEnergy,
      firstFrameMs: now?.firstFrameMs ?? null,
      legState: now?.recording.leg.state ?? "none",
      legBytesSent: (await now?.recording.leg.bytesSent()) ?? 0,
      recordingState: now?.recording.status.state ?? "off",
      callState: now?.callState ?? "idle",
    };
  };
}
