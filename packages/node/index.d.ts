/** A license server id. Times are RFC 3339. */
export interface IdRecord {
  license_server_id: string;
  name: string | null;
  contacts: string[];
  added_at: string;
  disabled: { at: string; by: string; reason: string } | null;
  allocation_revision: number;
  licenses: number;
  key_thumbprint: string | null;
  key_generation: number;
  sequence: number;
  last_synchronized_at: string | null;
  reserved_for: string | null;
}

export interface License {
  number: string;
  display: string | null;
  domain: string | null;
  components: { id: string; name: string; max_users: number }[];
  valid_from: string;
  expires_at: string | null;
  properties: Record<string, string>;
}

export interface NewLicense {
  number?: string;
  /** Users by component: `{ Base: 5 }`. */
  components?: Record<string, number>;
  display?: string;
  domain?: string;
  validFrom?: Date;
  expiresAt?: Date;
  properties?: Record<string, string>;
}

export interface KeyPair {
  license_server_id: string;
  key_thumbprint: string | null;
  key_generation: number;
  bound_at: string | null;
  last_synchronized_at: string | null;
  reserved_for: string | null;
  cleared: unknown[];
}

/** An exchange with a License Server, and the clause that decided it. */
export interface JournalEntry {
  number: number;
  at: string;
  carrier: string;
  license_server_id: string | null;
  verdict: string;
  clause: string;
  detail: string;
  judgements: string[];
  /** Microseconds from the whole request to the answer. */
  took_us: number | null;
  quirk: string | null;
  request: string;
  answer: string;
  [further: string]: unknown;
}

/** A quirk that is armed. */
export interface FaultReport {
  number: number;
  quirk: string;
  matched: number;
  fired: number;
  left?: number | null;
  [further: string]: unknown;
}

export interface Numbered {
  number: number;
  [further: string]: unknown;
}

/** A request by e-mail to clear a key pair. */
export interface ClearRequest {
  id: number;
  license_server_id: string;
  thumbprint: string | null;
  [further: string]: unknown;
}

/** Who does it and why, for the audit. */
export interface By {
  operator?: string;
  reason?: string;
}

/** The main server did not do it. Decide by `code`; `cure` is what to do next. */
export class AdminError extends Error {
  private constructor();
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly cure: string;
}

/** The simulator is not running; its log is in the message. */
export class MainServerDied extends Error {
  readonly log: string;
}

/** The path of `mock-solme`, `license-server` or `harness`. */
export function program(name: "mock-solme" | "license-server" | "harness"): string;

/** A simulator that runs anywhere, by `admin` and `admin_token` of its ready line. */
export class AdminApi {
  constructor(admin: string, adminToken: string);
  readonly admin: string;
  readonly adminToken: string;

  ids(page?: { after?: string; limit?: number }): Promise<IdRecord[]>;
  id(id: string): Promise<IdRecord>;
  /** One is made up if none is named. */
  addId(
    id?: string,
    options?: { name?: string; contacts?: string[]; reserveFor?: string; operator?: string },
  ): Promise<IdRecord>;
  changeId(id: string, change: { name?: string | null; contacts?: string[]; operator?: string }): Promise<IdRecord>;
  disableId(id: string, by?: By): Promise<IdRecord>;
  enableId(id: string, by?: By): Promise<IdRecord>;
  /** Forgets its key pairs and requests; what is allocated to it stays. */
  resetId(id: string, by?: Pick<By, "operator">): Promise<unknown>;

  licenses(id: string): Promise<{ license_server_id: string; revision: number; licenses: License[] }>;
  addLicense(id: string, license?: NewLicense & By): Promise<License>;
  removeLicense(id: string, number: string, by?: Pick<By, "operator">): Promise<unknown>;

  keyPair(id: string): Promise<KeyPair>;
  clearKeyPair(
    id: string,
    options?: { thumbprint?: string; evenSo?: boolean; reserveFor?: string } & By,
  ): Promise<unknown>;
  reserveFor(id: string, thumbprint: string | null, by?: Pick<By, "operator">): Promise<KeyPair>;

  clearRequests(listing?: { id?: string; limit?: number }): Promise<ClearRequest[]>;
  approveClearRequest(number: number, options?: { evenSo?: boolean; reserve?: boolean } & By): Promise<ClearRequest>;
  rejectClearRequest(number: number, by?: By): Promise<ClearRequest>;
  outbox(listing?: { limit?: number }): Promise<Numbered[]>;
  mail(number: number): Promise<Numbered>;

  /** Turns a request file into a response file; a refusal makes one too. */
  processRequest(requestFile: Uint8Array): Promise<Buffer>;
  /** The trust file for License Servers that reach it at other addresses, behind a port mapping say. */
  trustFor(at: { https?: string; http?: string }): Promise<Record<string, unknown>>;

  /** Main server time. */
  now(): Promise<Date>;
  setClock(now: Date): Promise<Date>;
  advanceClock(by: { days?: number; hours?: number; seconds?: number }): Promise<Date>;

  quirks(): Promise<{ quirk: string; about: string; clause: string; operations: string[] }[]>;
  /** From now on the main server misbehaves: `arm("drop-reply", { when: { next: 1 } })`. */
  arm(
    quirk: string,
    fault?: { where?: Record<string, unknown>; when?: Record<string, unknown>; with?: Record<string, unknown> },
  ): Promise<FaultReport>;
  armed(): Promise<FaultReport[]>;
  /** One fault, or all. */
  disarm(number?: number): Promise<unknown>;

  journal(listing?: { id?: string; limit?: number }): Promise<JournalEntry[]>;
  audit(listing?: { id?: string; limit?: number }): Promise<Numbered[]>;
  /** Forgets everything, as at the first start; clock and quirks too. */
  reset(): Promise<void>;
}

export interface StartOptions {
  /** Further words for `mock-solme serve`. */
  args?: string[];
  /** Keeps everything in this directory. */
  data?: string;
}

/** A simulator that runs until it is stopped, or until this program ends. */
export class MockSolme extends AdminApi {
  private constructor();
  /** Starts it and waits until it is ready. */
  static start(options?: StartOptions): Promise<MockSolme>;
  /** Ends it. Whatever it kept in memory is gone. */
  stop(): Promise<void>;

  readonly pid: number;
  readonly https: string;
  readonly http: string;
  /** Where mail to licensing@solme.se is taken, as HOST:PORT. */
  readonly smtp: string;
  /** Path of what a License Server is set up with. */
  readonly trustFile: string;
  readonly mainServerId: string;
  /** The demo license server id, with licenses allocated to it. */
  readonly demoId: string;
  /** Repeats what it made up: `args: ["--seed", String(seed)]`. */
  readonly seed: number;
  /** What it has logged so far. */
  readonly log: string;
}
