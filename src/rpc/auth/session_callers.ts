import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { JobError } from "../../core/errors.ts";
import type {
  OpenedSession,
  Session,
  SessionFacts,
  SessionHolder,
  WaitingCode,
} from "../../manager/sessions/session.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { type AddressLimits, AddressQuota } from "../guard/address_quota.ts";
import { type Pace, Paced } from "../guard/paced.ts";
import type { SessionCaller } from "./session_proof.ts";

/** Reads of the codes; concurrent guesses share the next one. */
const CODE_READS: Pace = { burst: 50, everyMs: 50 };
/** Time for which a session counts as current after a read: a revoked one may survive that time. */
const FRESH_MS = 2_000;
/** Most sessions that are remembered; the oldest is forgotten. */
const REMEMBERED_MAX = 1_000;
/** Look-ups of unknown cookies. Each costs the store a read. */
const UNKNOWN: AddressLimits = {
  ofOne: { burst: 100, everyMs: 50 },
  ofAll: { burst: 200, everyMs: 10 },
};
const SECRET = /^[\w-]{43}$/;

/** A session as it was last read. */
interface Known {
  readonly session: Session;
  readonly readMs: number;
}

/** Options of {@link SessionCallers}. */
export interface SessionCallersOptions {
  readonly sessions: SessionFacts;
  /** True if the holder of a session still has the rights that it was opened with. */
  readonly isCurrent: (holder: SessionHolder) => boolean;
  readonly clock: Clock;
}

/** The callers of requests with the cookie of a session, in the listeners' thread. */
export class SessionCallers {
  readonly #options: SessionCallersOptions;
  /** By id, only existing ones. */
  readonly #known = new Map<string, Known>();
  /** Reads in progress, by id. */
  readonly #reading = new Map<string, Promise<Session | null>>();
  /** Callbacks for the end of a session, by its id. */
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #checking: LazyTimer;
  readonly #unknown: AddressQuota;
  readonly #codes: Paced<readonly WaitingCode[]>;

  constructor(options: SessionCallersOptions) {
    this.#options = options;
    this.#unknown = new AddressQuota(options.clock, UNKNOWN);
    this.#codes = new Paced(options.clock, () => options.sessions.waitingCodes(), CODE_READS);
    this.#checking = new LazyTimer(options.clock, () => void this.#checkWatched());
  }

  /**
   * The caller with the secret of a session; null if it is missing or has ended.
   *
   * @param address of the client
   * @throws JobError `resource_exhausted` after too many attempts from the address; `unavailable`
   */
  async find(secret: string, address: string): Promise<SessionCaller | null> {
    return await this.#find(secret, (id) => this.#lookUp(id, address));
  }

  /** Like `find`, after another valid proof: it does not count as an attempt. */
  async findFormer(secret: string, address: string): Promise<SessionCaller | null> {
    return await this.#find(secret, (id) => this.#readAgain(id, address));
  }

  /**
   * Find a one-time code without using it up; null if it is unknown, used or expired. Under any
   * load, the store reads its codes at most 20 times a second in the long run.
   */
  async findCode(code: string): Promise<WaitingCode | null> {
    if (!SECRET.test(code)) return null;
    const wanted = Buffer.from(idOf(code));
    let found: WaitingCode | null = null;
    // Compare all, in constant time, so that the duration reveals nothing.
    for (const each of await this.#codes.get()) {
      const id = Buffer.from(each.id);
      if (id.length === wanted.length && timingSafeEqual(id, wanted)) found = each;
    }
    return found;
  }

  /**
   * Open a session with a one-time code.
   *
   * @param uid the only user of this machine, apart from root, who may use it; null for anyone
   * @returns null for an unknown, used or expired code, or if its maker has lost the rights
   */
  async redeem(
    code: string,
    address: string,
    uid: number | null = null,
  ): Promise<OpenedSession | null> {
    if (!SECRET.test(code)) return null;
    const holder = await this.#options.sessions.redeemLoginCode(code);
    return holder && this.#options.isCurrent(holder) ? await this.open(holder, address, uid) : null;
  }

  /**
   * Open a session.
   *
   * @param uid the only user of this machine, apart from root, who may use it; null for anyone
   * @throws JobError `resource_exhausted` if the store has too many
   */
  async open(
    holder: SessionHolder,
    address: string,
    uid: number | null = null,
  ): Promise<OpenedSession> {
    const readMs = this.#nowMs();
    const opened = await this.#options.sessions.openSession(holder, address, uid);
    // Its first use does not count as a guess.
    this.#remember({ session: opened.session, readMs });
    return opened;
  }

  /** End a session, at a logout. */
  async end({ session: { id } }: SessionCaller): Promise<void> {
    this.#forget(id);
    await this.#options.sessions.revokeSession(id, null).catch((error: unknown) => {
      // It has ended already.
      if (!(error instanceof JobError && error.code === "not_found")) throw error;
    });
  }

  /** Call `ended` up to two seconds after a session's end. @returns a function that stops this */
  watch({ session: { id } }: SessionCaller, ended: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(ended));
    this.#checking.setWithin(FRESH_MS);
    return () => {
      watchers.delete(ended);
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) {
        this.#watchers.delete(id);
      }
    };
  }

  async #find(
    secret: string,
    read: (id: string) => Promise<Session | null>,
  ): Promise<SessionCaller | null> {
    if (!SECRET.test(secret)) return null;
    const session = await this.#read(idOf(secret), read);
    return session && callerOf(session);
  }

  /** Read a session, which counts against the address if it is missing and was unknown. */
  async #lookUp(id: string, address: string): Promise<Session | null> {
    if (this.#known.has(id) || this.#reading.has(id)) return await this.#readAgain(id, address);
    if (!this.#unknown.takes(address)) {
      throw new JobError("resource_exhausted", "Cannot look up the session: too many attempts", {
        hint: "Try again in a few seconds",
      });
    }
    const session = await this.#readAgain(id, address);
    if (session !== null) this.#unknown.giveBack(address);
    return session;
  }

  async #read(
    id: string,
    read: (id: string) => Promise<Session | null>,
  ): Promise<Session | null> {
    const known = this.#known.get(id);
    const isFresh = known !== undefined && this.#nowMs() - known.readMs < FRESH_MS;
    const session = isFresh ? known.session : await read(id);
    const { clock, isCurrent } = this.#options;
    if (session && session.expiresAt > clock.now().wallMs && isCurrent(session)) return session;
    this.#forget(id);
    return null;
  }

  #readAgain(id: string, address: string): Promise<Session | null> {
    let reading = this.#reading.get(id);
    if (reading === undefined) {
      const readMs = this.#nowMs();
      reading = this.#options.sessions.useSession(id, address).then((session) => {
        if (session) this.#remember({ session, readMs });
        return session;
      }).finally(() => this.#reading.delete(id));
      this.#reading.set(id, reading);
    }
    return reading;
  }

  #remember(known: Known): void {
    this.#known.set(known.session.id, known);
    if (this.#known.size > REMEMBERED_MAX) this.#known.delete(this.#known.keys().next().value!);
  }

  /** It has ended: so do its streams. */
  #forget(id: string): void {
    this.#known.delete(id);
    const watchers = this.#watchers.get(id) ?? [];
    this.#watchers.delete(id);
    for (const ended of watchers) ended();
  }

  async #checkWatched(): Promise<void> {
    for (const id of [...this.#watchers.keys()]) {
      // While the store does not respond, no session counts as ended.
      const address = this.#known.get(id)?.session.address ?? "";
      await this.#read(id, () => this.#readAgain(id, address)).catch(() => {});
    }
    if (this.#watchers.size > 0) this.#checking.setIn(FRESH_MS);
  }

  #nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }
}

function callerOf({ id, name, role, jobs, proof, expiresAt, uid = null }: Session): SessionCaller {
  return { name, role, jobs, proof, session: { id, expiresAt, uid } };
}

/** The id of the session or code with a secret. */
function idOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
