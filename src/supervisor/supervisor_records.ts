import { Buffer } from "node:buffer";
import { errorCode, toJobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { thisProcess } from "../platform/process/process_identity.ts";
import type { Random } from "../platform/random.ts";
import { ClaimSeal } from "./claim_seal.ts";
import type { ClaimOfRun, SealedClaim } from "./protocol.ts";
import {
  openFolder,
  placeOf,
  removeUnused,
  type SupervisorPlace,
  type SupervisorRecord,
  writeRecord,
} from "./supervisor_folder.ts";

/** Wait before another try to write a record. */
const RECORD_AGAIN_MS = 10_000;

/** Place where the next daemon finds supervisors, and their time limit for it. */
export interface OutlivingOptions {
  /**
   * Path of the folder for the daemon's store and node, equal for every daemon that could take
   * their claims back. It is created, for this user only.
   */
  readonly folder: () => string;
  /** See {@link SupervisorRecord.graceMs}. */
  readonly graceMs: number | null;
}

/** Options of the records of supervisors. */
export interface RecordsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Null if commands end with this process. */
  readonly outliving: OutlivingOptions | null;
}

/** Records supervisors for the next daemon, and seals their claims. */
export class SupervisorRecords {
  readonly #options: RecordsOptions;
  /** When a record is tried again, in monotonic ms; null if the last one was written. */
  #againMs: number | null = null;
  /** Null until a supervisor can be found by the next daemon. */
  #seal: ClaimSeal | null = null;

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  /** Random bytes that nobody can guess, as hex. */
  secret(bytes: number): string {
    return Buffer.from(this.#options.random.bytes(bytes)).toString("hex");
  }

  /** The claim of a command, as its supervisor lists it for the next daemon. */
  seal({ id, fence }: ClaimOfRun, marker: string): SealedClaim {
    return this.#seal?.seal({ id, fence }, marker) ?? { id, fence, seal: "" };
  }

  /** Seal claims with the key of an earlier daemon. @returns false if there is none */
  readSeal(): boolean {
    const { outliving } = this.#options;
    if (outliving !== null) this.#seal ??= ClaimSeal.read(outliving.folder());
    return this.#seal !== null;
  }

  /** Record a supervisor that is about to start; null if the next daemon cannot find it. */
  write(supervisor: Pick<SupervisorRecord, "token" | "key" | "isForeign">): SupervisorPlace | null {
    const { clock, outliving, logger } = this.#options;
    const nowMs = clock.now().monotonicMs;
    if (outliving === null || nowMs < (this.#againMs ?? 0)) return null;
    const { graceMs } = outliving;
    const folder = outliving.folder();
    const { process: daemon } = thisProcess();
    try {
      const place = this.#write(folder, {
        ...supervisor,
        secret: this.secret(32),
        graceMs,
        daemon,
      });
      if (this.#againMs !== null) logger.info("New commands outlive the daemon again");
      this.#againMs = null;
      return place;
    } catch (error) {
      const { message, hint } = toJobError(error, `Cannot write into "${folder}"`);
      if (this.#againMs === null) {
        logger.warn("Commands will end with the daemon", { problem: message, hint });
      }
      this.#againMs = nowMs + RECORD_AGAIN_MS;
      return null;
    }
  }

  #write(folder: string, record: SupervisorRecord): SupervisorPlace {
    const place = placeOf(folder, record.token);
    for (let isAgain = false;; isAgain = true) {
      try {
        openFolder(folder);
        this.#seal ??= ClaimSeal.open(folder, this.#options.random);
        this.#seal.keepIn(folder);
        writeRecord(place, record);
        // An ended supervisor may have removed it before it saw the record.
        this.#seal.keepIn(folder);
        return place;
      } catch (error) {
        // The same, before the record was there.
        if (isAgain || errorCode(error) !== "ENOENT") throw error;
      }
    }
  }

  removeUnused(): void {
    const { outliving } = this.#options;
    if (outliving !== null) removeUnused(outliving.folder());
  }
}
