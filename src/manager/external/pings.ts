import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { JobError } from "../../core/errors.ts";
import { assertRunsElsewhere, isExternal, type ReportedRun } from "../../core/job/external.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { readMemo, tryPutMemo } from "../../notices/context/memos.ts";
import type { PartContext } from "../context/part_context.ts";
import { ExternalRuns } from "./external_runs.ts";
import type { ExternalApi, PingKeysOfJob } from "../api/external.ts";

/** Key of the memo with the secret that all keys derive from, so that all nodes agree. */
const MEMO = "ping-secret";
const SECRET_BYTES = 32;

/**
 * Pings, each with the secret key of a job: its configured key, or one derived from a secret in the
 * store. Derived keys look like UUIDs, because some clients accept nothing else.
 */
export class Pings {
  readonly #parts: PartContext;
  readonly #runs: ExternalRuns;
  #secret: Promise<Buffer> | null = null;
  /** Kinds by the hash of their key, while the jobs stay the same. */
  #byHash: Promise<ReadonlyMap<string, string>> | null = null;
  #kinds: ReadonlySet<string> | null = null;

  constructor(parts: PartContext, runs: ExternalRuns) {
    this.#parts = parts;
    this.#runs = runs;
  }

  /** @throws JobError `not_found`; `invalid_argument` for a job that runs here */
  async keysOf(kind: string): Promise<PingKeysOfJob> {
    const job = this.#parts.registry.get(kind);
    assertRunsElsewhere(job);
    const secret = await this.#readSecret();
    return { key: keyOf(job, secret), sharedKey: sharedKeyOf(secret) };
  }

  /** See {@link ExternalApi.ping}. */
  async take(key: string, kind: string | null, reported: ReportedRun): Promise<boolean> {
    const found = await this.#find(key, kind);
    if (found === null) return false;
    await this.#runs.report(found, reported);
    return true;
  }

  /** The hashes of all keys; none if no job runs elsewhere. */
  async keyHashes(): Promise<ReadonlySet<string>> {
    const own = await this.#hashes();
    if (own.size === 0) return new Set();
    return new Set([...own.keys(), hashOf(sharedKeyOf(await this.#readSecret()))]);
  }

  // The duration reveals nothing about the keys: it depends only on their hashes.
  async #find(key: string, kind: string | null): Promise<string | null> {
    const hash = hashOf(key);
    if (kind === null) return (await this.#hashes()).get(hash) ?? null;
    const isShared = hash === hashOf(sharedKeyOf(await this.#readSecret()));
    const job = this.#parts.registry.find(kind);
    return isShared && job && isExternal(job) ? kind : null;
  }

  #hashes(): Promise<ReadonlyMap<string, string>> {
    const { registry } = this.#parts;
    // A new object after each change of the jobs.
    if (this.#byHash === null || this.#kinds !== registry.kinds) {
      this.#kinds = registry.kinds;
      const read = this.#readHashes();
      this.#byHash = read;
      read.catch(() => this.#byHash = null);
    }
    return this.#byHash;
  }

  async #readHashes(): Promise<ReadonlyMap<string, string>> {
    const jobs = this.#parts.registry.list().filter(isExternal);
    if (jobs.length === 0) return new Map();
    const secret = await this.#readSecret();
    return new Map(jobs.map((job) => [hashOf(keyOf(job, secret)), job.kind]));
  }

  #readSecret(): Promise<Buffer> {
    if (this.#secret === null) {
      const read = this.#secret = this.#openSecret();
      read.catch(() => this.#secret = null);
    }
    return this.#secret;
  }

  /** Read the secret, or make it. If several nodes make it, the first one wins. */
  async #openSecret(): Promise<Buffer> {
    const { store, clock, random } = this.#parts;
    const found = await readMemo(MEMO, { store });
    if (found) return secretOf(found.data);
    const secret = Buffer.from(random.bytes(SECRET_BYTES)).toString("base64");
    const data = JSON.stringify({ secret });
    const isWritten = await tryPutMemo({
      at: clock.now(),
      key: MEMO,
      expectedVersion: null,
      isProcessed: true,
      instances: [],
      value: { watch: "never", data },
    }, { store });
    return isWritten ? secretOf(data) : await this.#openSecret();
  }
}

/** The calls that take reports of runs elsewhere: loaded for the first of them. */
export function takeReports(
  parts: PartContext,
  changed: () => void,
): Pick<ExternalApi, "reportRun" | "pingKeys" | "pingKeyHashes" | "ping"> {
  const runs = new ExternalRuns(parts, changed);
  const pings = new Pings(parts, runs);
  return {
    reportRun: (...args) => runs.report(...args),
    pingKeys: (kind) => pings.keysOf(kind),
    pingKeyHashes: () => pings.keyHashes(),
    ping: (...args) => pings.take(...args),
  };
}

function secretOf(data: string): Buffer {
  const { secret } = JSON.parse(data) as { readonly secret?: unknown };
  const bytes = Buffer.from(typeof secret === "string" ? secret : "", "base64");
  if (bytes.length === SECRET_BYTES) return bytes;
  throw new JobError("internal", "Cannot read the secret of pings: the store has no valid one");
}

function keyOf({ kind, source }: JobDefinition, secret: Buffer): string {
  const own = source.type === "external" ? source.pingKey : null;
  return own ?? uuidOf(createHmac("sha256", secret).update(`job ${kind}`).digest());
}

function sharedKeyOf(secret: Buffer): string {
  return uuidOf(createHmac("sha256", secret).update("all jobs").digest());
}

/** A UUID version 8 of these bytes. */
function uuidOf(bytes: Buffer): string {
  bytes[6] = 0x80 | bytes[6]! & 0x0f;
  bytes[8] = 0x80 | bytes[8]! & 0x3f;
  const hex = bytes.toString("hex");
  const parts = [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]];
  return parts.map(([from, to]) => hex.slice(from, to)).join("-");
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
