// The wire's words, as avsession/messages/party.py defines them. Types only; never served.

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
}

export interface LastBackup {
  to: string;
  made_ms: number;
  leaves: number;
  recordings: number;
  bytes: number;
  keys_delete_by_ms: number | null;
}

export type ToParty =
  | Welcome
  | { type: "pong" }
  | { type: "parties"; parties: PartyInfo[] }
  | { type: "ice.servers"; ice_servers: RTCIceServer[] }
  | { type: "described"; sender: string; kind: RTCSdpType; sdp: string }
  | { type: "trickled"; sender: string; candidate: string; mid: string | null; line: number | null }
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

export interface Controller {
  name: string;
  address: string;
  contact: string;
  dpo: string;
  authority: Record<string, string>;
}

export interface About {
  version: string;
  build: string;
  origin: string;
  controller: Controller;
  languages: string[];
  company: string | null;
  minimum_age: number;
  purposes: { id: string; label: Record<string, string>; keep_days: number }[];
  consent: { answer_s: number; warn_s: number; fate_s: number };
}

/** A line of the registry; as avsession/privacy/stored.py. */
export interface StoredItem {
  name: string;
  kind: string;
  group: string;
  purpose: string;
  seconds: number | null;
  seen_by: string;
}

export interface Preferences {
  version: string;
  policy: string;
  items: StoredItem[];
  signal: boolean;
  ask: boolean;
  allowed: string[];
  choice: {
    given: string[];
    at_ms: number;
    until_ms: number;
    version: string;
    policy: string;
    leaf: number;
    pseudonym: string;
  } | null;
}

export interface PolicyVersion {
  version: string;
  updated: string;
  material: boolean;
  texts: Record<string, string>;
  published_ms: number | null;
}

export interface PolicyDocument {
  document: string;
  versions: PolicyVersion[];
}

export interface PolicyText {
  document: string;
  version: string;
  language: string;
  sha256: string;
  text: string;
}

export interface PolicyChanges {
  document: string;
  from: string;
  to: string;
  language: string;
  blocks: { kind: string; text: string }[][];
}

export interface QualityStatistics {
  days: { day: string; calls: number }[];
  enough: boolean;
  needed: number;
  figures: { figure: string; unit: string; bounds: number[]; calls: number[] }[];
}

export interface ConsentEvent {
  event: string;
  kind: string;
  at_ms: number;
  party?: string;
  request: string;
  purposes: string[];
  notice: string | null;
  language: string | null;
  leaf?: number;
}

export interface MyRecording {
  recording: string | null;
  request: string;
  state: string;
  duration_ms: number;
  created_ms: number;
  mine_erased: boolean;
  purposes: string[];
  can_withdraw: boolean;
  withdrawn: boolean;
  fate: string | null;
  held: Held | null;
  certificates: Destruction[];
}

export interface Held {
  category: string;
  review_ms: number;
}

export interface Destruction {
  certificate: string;
  whole: boolean;
  reason: string;
  by: string;
  roles: string[];
  decided_ms: number;
  done_ms: number | null;
}

export interface Certificate {
  certificate: {
    certificate: string;
    what: {
      recording: string;
      whole: boolean;
      manifest: { head: string | null; entries: number };
      tracks: { role: string; segments: number; digest: string }[];
    };
    when: { decided: string; keys_destroyed: string; done: string };
    why: string;
    by: { role: string };
    left: { key_backups_until: string | null; database: string };
    controller: { name: string; address: string };
  };
  sha256: string;
  leaf: number;
}

export interface Hold {
  hold: string;
  scope: string;
  target: string;
  category: string;
  reason: string;
  asked_by: string;
  review_ms: number;
  placed_ms: number;
  released_ms: number | null;
  release_reason: string;
}

export interface MyData {
  name: string;
  role: string;
  session: { session: string; created_ms: number; ended_ms: number | null };
  signing: { party: string; challenge: string };
  controller: Controller;
  events: ConsentEvent[];
  notices: Record<string, string>;
  recordings: MyRecording[];
  accesses: { at_ms: number; reason: string; purpose: string; by: string }[];
  preferences: { language: string; contact: string };
  seat: { joined_ms: number | null; left_ms: number | null };
  held: Held | null;
  requests: OwnRequest[];
  restrictions: {
    why: string;
    purposes: string[];
    whole: boolean;
    request: string;
    placed_ms: number;
    lifted_ms: number | null;
    lifted_by: string;
    reason: string;
  }[];
  /** When a new private link was had with a receipt. */
  links: number[];
  disclosures: Disclosed[];
}

/** A privacy request as its person sees it. */
export interface OwnRequest {
  /** Of staff alone: the name that is to stand instead. */
  wanted?: string;
  request: string;
  right: string;
  state: string;
  text: string;
  purposes: string[];
  by: string;
  received_ms: number;
  due_ms: number;
  extension: string;
  answer: string;
  done_ms: number | null;
}

/** The same at the admin's desk. */
export interface DeskRequest extends OwnRequest {
  of: "party" | "staff";
  carried_out: boolean;
  session: string;
  party: string;
  name: string;
  role: string;
  contact: string;
  late: boolean;
  restricts: boolean;
  held: Held | null;
}

export interface DeskFigures {
  open: number;
  soon: number;
  late: number;
  answered: number;
  answered_late: number;
  refused: number;
  withdrawn: number;
}

/** What came of asking to be erased. */
export interface Erasure {
  state: string;
  held: Held | null;
  request: OwnRequest | null;
  leaf: number | null;
  at_ms: number;
  destructions: Destruction[];
  certificates: Certificate[];
}

export interface Export {
  export: string;
  state: string;
  requested_ms: number;
  expires_ms: number;
  size: number;
  digest: string;
  done: number;
  total: number;
}

export interface Exports {
  exports: Export[];
  at_once: number;
  keep_days: number;
  other_party: string;
}

export interface Disclosed {
  disclosure: string;
  at_ms: number;
  category: string;
  given_to: string;
  basis: string;
  basis_text: string;
  reason: string;
  parts: string[];
}

/** Somebody in the register of processors; phrases by language. */
export interface Processor {
  name: string;
  what_for: Record<string, string>;
  where: Record<string, string>;
}

export interface Disclosure {
  disclosure: string;
  session: string;
  scope: string;
  target: string;
  category: string;
  given_to: string;
  basis: string;
  basis_text: string;
  reason: string;
  parts: string[];
  recipient: string;
  made_ms: number;
  silent_until_ms: number | null;
  state: string;
  expires_ms: number;
  size: number;
  sha256: string;
  manifest: string;
  leaf: number | null;
  done: number;
  total: number;
}

export interface AdminParty {
  party: string;
  role: string;
  name: string;
  language?: string;
  joined_ms?: number | null;
  left_ms?: number | null;
  erased?: boolean;
}

export interface AdminRecording {
  recording: string;
  session: string;
  request: string;
  state: string;
  reason: string;
  created_ms: number;
  duration_ms: number;
  purposes: string[];
  expired: string[];
  parties: AdminParty[];
  playable: boolean;
  restricted: boolean;
  held: boolean;
  certificates: Destruction[];
}

export interface LogLine {
  leaf: number;
  at_ms: number;
  kind: string;
  session: string | null;
  actor: string | null;
  subject: string | null;
  refs: string;
}

export interface LogLeaf extends LogLine {
  data: string;
  hash: string;
  details: { field: string; value: string | null; state: string }[];
  checkpoint: string | null;
  size: number | null;
  proof: string | null;
  /** Why there is no proof: the log does not hold. */
  problem: { code: string; sentence: string } | null;
}

export interface LogState {
  ok: boolean;
  since_ms: number | null;
  checked_ms: number | null;
  full_ms: number | null;
  size: number;
  problem: string | null;
  count: number;
  checking: boolean;
  kinds: string[];
}

export interface Span {
  from_ms: number;
  to_ms: number | null;
}

export interface TimelineParty {
  party: string;
  role: string;
  name: string;
  presence: Span[];
  consent: (Span & { what: string })[];
  stored: Span[];
  gaps: (Span & { reason: string })[];
}

export interface Timeline {
  recording: string;
  session: string;
  from_ms: number;
  to_ms: number;
  ok: boolean;
  finished: boolean;
  erased: boolean;
  segments: number;
  steps: { step: number; wrong: number; skipped: boolean }[];
  findings: { step: number; where: string; what: string }[];
  parties: TimelineParty[];
  pauses: (Span & { party: string | null })[];
  open: (Span & { generation: number; leaf: number; closed_by: string })[];
}

export interface AdminSession {
  session: string;
  created_ms: number;
  ended_ms: number | null;
  end_reason: string | null;
  parties: AdminParty[];
  requests: number;
  recordings: number;
}

export interface AdminSessionDetail extends Omit<AdminSession, "requests" | "recordings"> {
  events: ConsentEvent[];
  requests: { request: string; by: string; purposes: string[]; at_ms: number; outcome: string | null }[];
  recordings: AdminRecording[];
  holds: Hold[];
}

export interface OpenedTrack {
  track: string;
  party: string;
  role: string;
  name: string;
  url: string;
  gaps: { start_ms: number; end_ms: number; reason: string }[];
}

export interface Opened {
  access: string;
  expires_ms: number;
  duration_ms: number;
  tracks: OpenedTrack[];
}

export interface OwnSession {
  session: string;
  party: string;
  created_ms: number;
  invitation_state: string;
  expires_ms: number;
  parties: { name: string; role: string; presence: string | null }[];
  ended_ms: number | null;
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

export interface StaffAccount {
  account: string;
  login: string;
  name: string;
  role: string;
  created_ms: number;
  disabled: boolean;
  disabled_ms: number | null;
}

export interface StaffData {
  account: { login: string; name: string; role: string; created_ms: number; password: boolean; company: number; links: number };
  sign_ins: { pseudonym: string; created_ms: number; seen_ms: number; current: boolean }[];
  sessions: {
    session: string;
    you: string;
    name: string;
    language: string;
    contact: string;
    created_ms: number;
    ended_ms: number | null;
    joined_ms: number | null;
    left_ms: number | null;
    said: { kind: string; at_ms: number; leaf: number }[];
    recordings: { recording: string; erased: boolean }[];
    watched: { recording: string; purpose: string; at_ms: number }[];
    disclosed: { given_to: string; at_ms: number }[];
    held: Held | null;
  }[];
  accesses: { recording: string; made_ms: number | null; purpose: string; reason: string; at_ms: number }[];
  taken: { recording: string; why: string; purpose: string; reason: string; at_ms: number }[];
  holds: { hold: string; what: "placed" | "released"; category: string; reason: string; at_ms: number }[];
  disclosures: { disclosure: string; given_to: string; reason: string; at_ms: number }[];
  log: { leaf: number; kind: string; at_ms: number }[];
  requests: OwnRequest[];
  counts: { sessions: number; accesses: number; taken: number; holds: number; disclosures: number; log: number };
  kept_days: number;
}

export interface HookEndpoint {
  name: string;
  url: string;
  events: string[];
  waiting: number;
  sent: number;
  dead: number;
}

export interface HookDelivery {
  delivery: string;
  endpoint: string;
  kind: string;
  leaf: number | null;
  state: string;
  made_ms: number;
  due_ms: number | null;
  attempts: number;
  tried_ms: number | null;
  outcome: string;
  message: string;
}
