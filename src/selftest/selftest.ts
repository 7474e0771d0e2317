import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { GUARANTEES, runCase } from "../conformance/cases.ts";
import type { StoreFixture } from "../conformance/world/store_world.ts";
import { JobError, messageOf } from "../core/errors.ts";
import type { StoreAddress } from "../core/settings/store_address.ts";
import type { StoreConfig } from "../core/settings/store_config.ts";
import type { Clock, Instant } from "../platform/clock.ts";
import { silentLogger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { dropStore } from "../store/opening/drop_store.ts";
import { createStore, type StoreParts } from "../store/opening/open_store.ts";
import { type Latency, measureStore } from "./measure.ts";

/** A guarantee of a store, and whether it held. */
export interface Verdict {
  readonly guarantee: string;
  readonly cases: number;
  /** Cases that failed, each with its message. */
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  readonly tookMs: number;
}

/** The result of a self-test. */
export interface SelftestResult {
  /** Without secrets. */
  readonly store: string;
  readonly verdicts: readonly Verdict[];
  readonly latencies: readonly Latency[];
  readonly isGood: boolean;
}

/** Parameters of a self-test. */
export interface SelftestOptions {
  readonly config: StoreConfig;
  readonly clock: Clock;
  readonly random: Random;
  /** Duration of the latency measurement, in milliseconds. */
  readonly measureMs: number;
  /** Called before each guarantee. */
  readonly progress: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Test a store on the user's own server: each case in a separate namespace that is dropped
 * afterwards, then latencies by the server's clock. Nothing else on the server is read or written.
 */
export async function selftest(options: SelftestOptions): Promise<SelftestResult> {
  const { config, clock, signal, progress } = options;
  const scratch = new Scratch(options);
  // A failed case leaves calls behind. Their errors are not news.
  const ignore = () => {};
  process.on("unhandledRejection", ignore);
  try {
    if (config.address.type === "module") await scratch.checkApart();
    const verdicts: Verdict[] = [];
    for (const [guarantee, cases] of Object.entries(GUARANTEES)) {
      if (signal?.aborted) break;
      progress(guarantee);
      const failures: { readonly name: string; readonly message: string }[] = [];
      const beganMs = clock.now().monotonicMs;
      for (const [name, run] of Object.entries(cases)) {
        if (signal?.aborted) break;
        try {
          await runCase(run, ({ clock: now }) => scratch.open(now));
        } catch (error) {
          failures.push({ name, message: messageOf(error) });
        }
      }
      const tookMs = Math.round(clock.now().monotonicMs - beganMs);
      verdicts.push({ guarantee, cases: Object.keys(cases).length, failures, tookMs });
    }
    progress("latencies");
    const latencies = signal?.aborted ? [] : await measureStore(() => scratch.openReal(), options);
    const isGood = !signal?.aborted && verdicts.every(({ failures }) => failures.length === 0);
    return { store: config.url, verdicts, latencies, isGood };
  } finally {
    await scratch.drop();
    process.off("unhandledRejection", ignore);
  }
}

/** Stores in scratch namespaces. Each is dropped when its case has ended. */
class Scratch {
  readonly #options: SelftestOptions;
  readonly #name: string;
  readonly #folder: string | null = null;
  readonly #left = new Set<StoreConfig>();
  #count = 0;

  constructor(options: SelftestOptions) {
    this.#options = options;
    const hex = [...options.random.bytes(4)].map((byte) => byte.toString(16).padStart(2, "0"));
    this.#name = `selftest-${hex.join("")}`;
    const { address } = options.config;
    const isFile = address.type === "module" ||
      (address.type === "sqlite" && address.path !== ":memory:");
    if (!isFile) return;
    // On the same disk as the store itself.
    this.#folder = mkdtempSync(join(dirname(address.path), `.${basename(address.path)}-selftest-`));
  }

  /**
   * Make sure that a module creates another store for another prefix.
   *
   * @throws JobError `invalid_config` if cases would write to the user's own store
   */
  async checkApart(): Promise<void> {
    const ids = new Set<string>();
    for (let count = 1; count <= 2; count++) {
      const store = this.openReal();
      const info = await store.open({
        at: this.#options.clock.now(),
        node: "selftest",
        isMaintenance: true,
      });
      try {
        const { records } = await store.records.readRecords({ after: { type: "head" }, limit: 1 });
        if (records.length > 0 || ids.has(info.storeId)) throw notApart(this.#options.config.url);
        ids.add(info.storeId);
      } catch (error) {
        // It may be the user's own store: do not drop it.
        this.#left.clear();
        throw error;
      } finally {
        await store.close();
      }
    }
  }

  /** A store with the clock of a case. */
  open(now: () => Instant): Promise<StoreFixture> {
    const config = this.#next();
    const isShared = config.address.type === "valkey";
    // Other stores use the clock of the caller, which is the case's.
    const parts = { ...this.#parts(), ...(isShared ? { now } : {}) };
    const isRemote = isShared || config.address.type === "etcd";
    const store = createStore(config, parts);
    const end = async () => {
      await store.close();
      await this.#drop(config);
    };
    return Promise.resolve({
      store,
      isShared,
      end,
      ...(isRemote ? { another: async () => createStore(config, parts) } : {}),
    });
  }

  /** A store with its own clock. */
  openReal() {
    const config = this.#next();
    return createStore(config, this.#parts());
  }

  /** Drop the stores that are left. */
  async drop(): Promise<void> {
    for (const config of [...this.#left]) await this.#drop(config);
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true });
  }

  async #drop(config: StoreConfig): Promise<void> {
    await dropStore(config, this.#parts());
    this.#left.delete(config);
  }

  #parts(): StoreParts {
    const { clock, random } = this.#options;
    return { clock, random, logger: silentLogger };
  }

  #next(): StoreConfig {
    const { config } = this.#options;
    const name = `${this.#name}-${++this.#count}`;
    const { address } = config;
    const next: StoreConfig = {
      ...config,
      address: this.#folder ? inFolder(address, join(this.#folder, name)) : address,
      prefix: `${config.prefix.slice(0, 30)}-${name}`,
    };
    this.#left.add(next);
    return next;
  }
}

/** The address of a store that keeps its files at a path. */
function inFolder(address: StoreAddress, path: string): StoreAddress {
  switch (address.type) {
    case "sqlite":
      return { ...address, path: `${path}.db` };
    case "module":
      mkdirSync(path);
      return { ...address, directory: path };
    case "memory":
    case "valkey":
    case "etcd":
      return address;
  }
}

function notApart(url: string): JobError {
  return new JobError(
    "invalid_config",
    `Cannot test the store ${url}: its module creates the same store for every prefix and directory`,
    {
      hint:
        "Export a function that keeps files in its directory, and everything else under its prefix",
    },
  );
}
