import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { LOGIN_PATH } from "../../core/address.ts";
import { JobError } from "../../core/errors.ts";
import { memosOf, readMemo, tryPutMemo } from "../../notices/context/memos.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";
import { LOGIN_CODE_MEMO as CODE_MEMO, type Memo, SESSION_MEMO } from "../../store/store.ts";
import {
  type LoginCode,
  type OpenedSession,
  type Session,
  type SessionApi,
  type SessionHolder,
  type SessionParts,
  type WaitingCode,
} from "./session.ts";

/** Bytes of a code and of a session's secret. */
const SECRET_BYTES = 32;
const SESSION_MS = 12 * 3_600_000;
const CODE_MS = 120_000;
/** Clock difference of two nodes up to which a session that one opened stays valid. */
const SKEW_MS = 60_000;
/** Interval between writes of the last use. */
const USE_MS = 60_000;
/** Most sessions, of one holder and of all. */
const SESSIONS_MAX = { ofOne: 50, ofAll: 1_000 };
/** Most unused codes, of one holder and of all. */
const CODES_MAX = { ofOne: 10, ofAll: 200 };

/** A code in its stored form. */
interface StoredCode {
  readonly holder: SessionHolder;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly uid: number | null;
}

/** Something stored, and where. */
interface Stored<T> {
  readonly memo: Memo;
  readonly value: T;
}

/**
 * Sessions of browsers and the codes that open them, as memos: they outlive a restart, and all
 * nodes of a store share them. Secrets are stored as hashes only. Expired ones are removed when
 * others are created or listed, which suffices for a limited number.
 */
export class Sessions implements SessionApi {
  readonly #store: SessionParts["store"];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #siteUrl: () => string | null;

  constructor({ store, clock, random, siteUrl = () => null }: SessionParts) {
    this.#siteUrl = siteUrl;
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  async createCode(holder: SessionHolder, uid: number | null = null): Promise<LoginCode> {
    await this.#makeRoom(await this.#codes(), {
      most: CODES_MAX,
      what: "code",
      proofOf: ({ holder }) => holder.proof,
      proof: holder.proof,
    });
    const code = this.#secret();
    const createdAt = this.#nowMs();
    const expiresAt = createdAt + CODE_MS;
    const stored: StoredCode = { holder: holderOf(holder), createdAt, expiresAt, uid };
    await this.#put(CODE_MEMO + hashOf(code), null, stored);
    const site = this.#siteUrl();
    return { code, expiresAt, url: site && `${site}${LOGIN_PATH}?code=${code}` };
  }

  async waitingCodes(): Promise<readonly WaitingCode[]> {
    return (await this.#codes()).map(({ memo: { key }, value: { uid = null } }) => {
      return { id: key.slice(CODE_MEMO.length), uid };
    });
  }

  async redeemCode(code: string): Promise<SessionHolder | null> {
    const wanted = Buffer.from(hashOf(code));
    let found: Stored<StoredCode> | null = null;
    // Compare all, in constant time, so that the duration reveals nothing.
    for (const one of await this.#codes()) {
      const hash = Buffer.from(one.memo.key.slice(CODE_MEMO.length));
      if (hash.length === wanted.length && timingSafeEqual(hash, wanted)) found = one;
    }
    if (found === null) return null;
    // Of several concurrent uses, on any node, only the first can delete it.
    return await this.#remove(found.memo) ? found.value.holder : null;
  }

  async open(
    holder: SessionHolder,
    address: string,
    uid: number | null = null,
  ): Promise<OpenedSession> {
    await this.#makeRoom(await this.#sessions(), {
      most: SESSIONS_MAX,
      what: "session",
      proofOf: ({ proof }) => proof,
      proof: holder.proof,
    });
    const secret = this.#secret();
    const createdAt = this.#nowMs();
    const session: Session = {
      id: hashOf(secret),
      ...holderOf(holder),
      createdAt,
      usedAt: createdAt,
      address,
      expiresAt: createdAt + SESSION_MS,
      uid,
    };
    await this.#put(SESSION_MEMO + session.id, null, session);
    return { session, secret };
  }

  async use(id: string, address: string): Promise<Session | null> {
    const memo = await readMemo(SESSION_MEMO + id, { store: this.#store });
    const session = memo && valueOf<Session>(memo);
    const nowMs = this.#nowMs();
    if (!session || !isCurrent(session, { nowMs, lifeMs: SESSION_MS })) return null;
    if (nowMs - session.usedAt < USE_MS) return session;
    const used = { ...session, usedAt: nowMs, address };
    // It is not recorded if the session was just revoked, if another node has recorded a use, or
    // while the store accepts no writes: the session still works for reads.
    await this.#put(memo.key, memo.version, used).catch(() => false);
    return used;
  }

  async list(proof: string | null): Promise<readonly Session[]> {
    const sessions = (await this.#sessions()).map(({ value }) => value);
    return sessions.filter((one) => proof === null || one.proof === proof)
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  async revoke(prefix: string | null, proof: string | null): Promise<readonly Session[]> {
    const found = (await this.#sessions()).filter(({ value }) =>
      value.id.startsWith(prefix ?? "") && (proof === null || value.proof === proof)
    );
    if (prefix !== null && found.length !== 1) throw notOne(prefix, found.length);
    for (const { memo } of found) await this.#end(memo);
    return found.map(({ value }) => value);
  }

  /** Delete a session, even if its use is recorded at the same time. */
  async #end(memo: Memo): Promise<void> {
    for (let last: Memo | null = memo; last !== null;) {
      if (await this.#remove(last)) return;
      last = await readMemo(memo.key, { store: this.#store });
    }
  }

  /**
   * Delete the oldest ones of a holder with too many.
   *
   * @throws JobError `resource_exhausted` if all holders together have too many
   */
  async #makeRoom<T extends { readonly createdAt: number }>(
    stored: readonly Stored<T>[],
    options: {
      readonly most: typeof SESSIONS_MAX;
      readonly what: string;
      readonly proof: string;
      readonly proofOf: (value: T) => string;
    },
  ): Promise<void> {
    const { most, what, proof, proofOf } = options;
    const own = stored.filter(({ value }) => proofOf(value) === proof)
      .sort((a, b) => a.value.createdAt - b.value.createdAt);
    const excess = own.slice(0, Math.max(0, own.length - most.ofOne + 1));
    for (const { memo } of excess) await this.#end(memo);
    if (stored.length - excess.length < most.ofAll) return;
    throw new JobError(
      "resource_exhausted",
      `Cannot create a ${what}: the store has ${most.ofAll}, which is the most`,
      { hint: "End some: jobctl sessions lists them, jobctl sessions revoke ends them" },
    );
  }

  #sessions(): Promise<readonly Stored<Session>[]> {
    return this.#read<Session>(SESSION_MEMO, SESSION_MS);
  }

  #codes(): Promise<readonly Stored<StoredCode>[]> {
    return this.#read<StoredCode>(CODE_MEMO, CODE_MS);
  }

  /** Read unexpired values under a prefix; expired ones are deleted. */
  async #read<T extends { readonly expiresAt: number }>(
    prefix: string,
    lifeMs: number,
  ): Promise<readonly Stored<T>[]> {
    const nowMs = this.#nowMs();
    const current: Stored<T>[] = [];
    const expired: Memo[] = [];
    for await (const memo of memosOf(prefix, { store: this.#store })) {
      const value = valueOf<T>(memo);
      if (value !== null && isCurrent(value, { nowMs, lifeMs })) current.push({ memo, value });
      else expired.push(memo);
    }
    for (const memo of expired) await this.#remove(memo);
    return current;
  }

  #nowMs(): number {
    return this.#clock.now().wallMs;
  }

  #secret(): string {
    return Buffer.from(this.#random.bytes(SECRET_BYTES)).toString("base64url");
  }

  /** @returns false if it was changed since it was read */
  #remove({ key, version }: Memo): Promise<boolean> {
    return this.#write(key, version, null);
  }

  #put(key: string, expectedVersion: number | null, value: object): Promise<boolean> {
    return this.#write(key, expectedVersion, { watch: "never", data: JSON.stringify(value) });
  }

  #write(
    key: string,
    expectedVersion: number | null,
    value: { readonly watch: "never"; readonly data: string } | null,
  ): Promise<boolean> {
    const change = { key, expectedVersion, value, isProcessed: true, instances: [] };
    return tryPutMemo({ at: this.#clock.now(), ...change }, { store: this.#store });
  }
}

/** SHA-256 of a secret, as 64 hexadecimal digits: the id of its session. */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** The holder without other members that a caller may have. */
function holderOf({ name, role, jobs, proof }: SessionHolder): SessionHolder {
  return { name, role, jobs, proof };
}

/**
 * True if a value has not expired, and does not claim a longer life than allowed: someone who can
 * write to the store must not open a session for ever.
 */
function isCurrent(
  { expiresAt }: { readonly expiresAt: number },
  { nowMs, lifeMs }: { readonly nowMs: number; readonly lifeMs: number },
): boolean {
  return expiresAt > nowMs && expiresAt <= nowMs + lifeMs + SKEW_MS;
}

/** The data of a memo; null if unreadable. */
function valueOf<T>({ data }: Memo): T | null {
  try {
    return JSON.parse(data) as T;
  } catch {
    return null;
  }
}

function notOne(prefix: string, count: number): JobError {
  const action = `Cannot end session "${prefix}":`;
  const hint = "List them with: jobctl sessions";
  return count === 0
    ? new JobError("not_found", `${action} there is none`, { hint, path: "id" })
    : new JobError("invalid_argument", `${action} the prefix matches ${count}`, {
      hint: "Give more digits of its id",
      path: "id",
    });
}
