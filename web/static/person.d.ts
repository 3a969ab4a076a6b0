// What the api tells anybody, and each person about themselves. Types only; never served.

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
  /** By language: what stood under the same version, before a setting that it names was changed. */
  earlier: Record<string, { sha256: string; published_ms: number }[]>;
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
  renewed: number[];
  /** When one was given by the desk. */
  handed: number[];
  receipts: "open" | "closed";
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

export interface OwnSession {
  session: string;
  party: string;
  created_ms: number;
  invitation_state: string;
  expires_ms: number;
  parties: { name: string; role: string; presence: string | null }[];
  ended_ms: number | null;
}

export interface StaffData {
  account: { login: string; name: string; role: string; created_ms: number; password: boolean; company: number; passkeys: { name: string; created_ms: number; used_ms: number | null }[]; links: number };
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
