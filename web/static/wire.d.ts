// The wire's words, as avsession/messages/party.py defines them, and what a call counts. Types only;
// never served.

export interface PartyInfo {
  party: string;
  role: string;
  name: string;
  presence: string;
  microphone: boolean;
  camera: boolean;
}

export interface NoticeText {
  language: string;
  sha256: string;
  text: string;
}

export interface Ask {
  request: string;
  by: string;
  purposes: string[];
  notices: NoticeText[];
  deadline_ms: number;
  warn_ms: number;
  answers: Record<string, string>;
}

export interface RecordingStatus {
  state: string;
  reason: string;
  request: string | null;
  recording: string | null;
  generation: number;
  may_ask: boolean;
  /** Who has paused -> the generation that its resuming must name. */
  paused: Record<string, number>;
}

/** What this party's browser signed; as avsession/signed.py. */
export interface Statement {
  action: string;
  session: string;
  party: string;
  request: string;
  notice: string | null;
  language: string | null;
  purposes: string[];
  time: string;
  key: string;
}

export interface Signed {
  key: string;
  time: string;
  signature: string;
}

/** One party's consent, as its own browser signed it. */
export interface SignedConsent {
  notice: string;
  language: string;
  purposes: string[];
  time: string;
  public_key: string;
  signature: string;
}

export interface GrantedConsent extends SignedConsent {
  event: string;
  party: string;
}

export interface Grant {
  id: string;
  session: string;
  request: string;
  recording: string;
  generation: number;
  issued_ms: number;
  expires_ms: number;
  fingerprint: string;
  purposes: string[];
  consents: GrantedConsent[];
  legs: { party: string; track: string; recipient: string }[];
  max_height: number;
  max_bitrate: number;
}

export interface Welcome {
  type: "welcome";
  you: string;
  session: string;
  parties: PartyInfo[];
  ice_servers: RTCIceServer[];
  relay_only: boolean;
  recording: RecordingStatus;
  ask: Ask | null;
  grant: string | null;
  fate_due: string | null;
  fate_ms: number;
  given?: string | null;
  challenge: string;
  resume: string;
}

export type ToParty =
  | Welcome
  | { type: "pong" }
  | { type: "parties"; parties: PartyInfo[] }
  | { type: "ice.servers"; ice_servers: RTCIceServer[] }
  | { type: "described"; sender: string; kind: RTCSdpType; sdp: string; run?: string; n?: number }
  | { type: "trickled"; sender: string; candidate: string; mid?: string | null; line?: number | null; run?: string; n?: number }
  | { type: "confirmed"; sender: string; run: string; n: number; again: boolean }
  | { type: "recording.asked"; ask: Ask }
  | { type: "recording.ask_over"; request: string; outcome: string }
  | { type: "recording.state"; recording: RecordingStatus }
  | { type: "recording.grant"; grant: string }
  | { type: "leg.offer"; recording: string; generation: number; sdp: string }
  | { type: "recording.finished"; recording: string; request: string; state: string; duration_ms: number; certificate: string | null }
  | { type: "session.ended"; reason: string }
  | { type: "server.stops" }
  | { type: "ack"; key: string; result: Record<string, string> }
  | { type: "error"; code: string; message: string; key: string | null };

export interface Ticket {
  ticket: string;
  url: string;
  subprotocol: string;
}

export interface CallStats {
  remoteFramesDecoded: number;
  remoteAudioEnergy: number;
  firstFrameMs: number | null;
  legState: string;
  legBytesSent: number;
  recordingState: string;
  callState: string;
}

declare global {
  interface Window {
    avsessionStats?: () => Promise<CallStats>;
  }
}
