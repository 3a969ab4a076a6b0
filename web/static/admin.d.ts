// What the api tells those who review, answer and look after it. Types only; never served.

import type { ConsentEvent, Destruction, Held, OwnRequest } from "./person.js";

export interface LastBackup {
  to: string;
  made_ms: number;
  leaves: number;
  sessions: number;
  recordings: number;
  segments: number;
  bytes: number;
  keys: number | null;
  keys_delete_by_ms: number | null;
  checked_ms: number | null;
  whole: boolean | null;
}

export interface SinceBackup {
  leaves: number;
  erased: number;
  by_hand: number;
}

export interface BackupState {
  now_ms: number;
  days: number;
  leaves: number;
  problems: string[];
  backup: LastBackup | null;
  since: SinceBackup | null;
}

export interface QualityStatistics {
  days: { day: string; calls: number }[];
  enough: boolean;
  needed: number;
  figures: { figure: string; unit: string; bounds: number[]; calls: number[] }[];
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

/** One that stands, in the list of all. */
export interface StandingHold extends Hold {
  session: string;
  due: boolean;
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

/** A party that the desk found by name or contact. */
export interface DeskPerson {
  party: string;
  session: string;
  name: string;
  role: string;
  contact: string;
  created_ms: number;
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

export interface StaffAccount {
  account: string;
  login: string;
  name: string;
  role: string;
  created_ms: number;
  disabled: boolean;
  disabled_ms: number | null;
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

export interface Passkey {
  passkey: string;
  name: string;
  created_ms: number;
  used_ms: number | null;
}
