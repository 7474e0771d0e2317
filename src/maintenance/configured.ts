import { hostname } from "node:os";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load_config.ts";
import type { Environment } from "../config/values/expand.ts";
import { JobError } from "../core/errors.ts";
import { didYouMean } from "../core/text/nearest.ts";
import { maskUrl, parseStoreUrl } from "../core/settings/store_address.ts";
import { type StoreConfig, type StoreTarget, TARGET_NAME } from "../core/settings/store_config.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { type Logger, silentLogger } from "../platform/logger.ts";
import { systemRandom } from "../platform/random.ts";
import { createStore } from "../store/opening/open_store.ts";
import type {
  BackupFolderContext,
  NamedStore,
  StoreStep,
  StoreWork,
  StoreWorkContext,
} from "./step.ts";
import type { Restored } from "./restore.ts";

/** Node id of a command that opens a store for maintenance. */
const NODE = `jobctl-${hostname()}`;
/** Time limit for attempts of other nodes to end, in milliseconds. */
const DRAIN_MS = 60_000;
/** Longest target name shown in a message. */
const NAME_SHOWN_MAX = 100;

/** Location of a command's store without a daemon. */
export interface StorePlace {
  /** Null for the built-in configuration. */
  readonly configFile: string | null;
  /** URL that replaces the configuration's. */
  readonly url: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
}

/** The target of this name. @throws JobError `not_found` if it is not configured */
function targetNamed({ targets }: StoreConfig, name: string): StoreTarget {
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (target !== undefined) return target;
  const known = Object.keys(targets).join(", ");
  // The name may be a URL with a password.
  const shown = JSON.stringify(maskUrl(name).slice(0, NAME_SHOWN_MAX));
  throw new JobError("not_found", `Cannot move the store to ${shown}: no such target`, {
    hint: known !== ""
      ? `${didYouMean(name, Object.keys(targets)) ?? `Known targets: ${known}.`} ` +
        "A daemon moves only to stores that its configuration names in store.targets"
      : 'Add it to the daemon\'s configuration, [store.targets] NAME = "URL", run jobctl reload and use --to NAME',
  });
}

/** Another store. The configuration provides the settings that the target lacks. */
function storeAt(
  base: StoreConfig,
  { address, url, prefix }: StoreTarget,
  logger: Logger,
): NamedStore {
  const isRemote = address.type === "valkey" || address.type === "etcd";
  const config: StoreConfig = {
    ...base,
    address,
    url,
    prefix: prefix ?? base.prefix,
    tls: isRemote && address.isTls
      ? base.tls ?? { ca: null, cert: null, key: null, serverName: null }
      : null,
  };
  const parts = { clock: systemClock, random: systemRandom, logger };
  // It is being filled on purpose: an empty or missing file is not a loss, even if it had commits.
  const store = createStore(config, { ...parts, salvages: "empty" });
  const isNamed = config.prefix !== base.prefix && address.type !== "sqlite";
  return { store, url: config.url, ...(isNamed ? { prefix: config.prefix } : {}) };
}

/** The configuration of a command's store. @throws JobError `invalid_config` */
export async function loadStoreConfig(place: StorePlace): Promise<StoreConfig> {
  const flags = place.url === undefined ? {} : { store: place.url };
  const { config } = await loadConfig(place.configFile, { env: place.env, cwd: place.cwd, flags });
  return config.store;
}

/** Runs maintenance on a daemon's store. It moves only to targets named in the configuration. */
export class StoreWorker {
  #config: StoreConfig;
  #backup: Config["backup"];
  readonly #logger: Logger;

  constructor({ store, backup }: Pick<Config, "store" | "backup">, logger: Logger) {
    this.#config = store;
    this.#backup = backup;
    this.#logger = logger;
  }

  /** Run a work; its last step is the report. */
  async *run(
    work: StoreWork,
    context: Omit<StoreWorkContext, "openTarget" | "random">,
  ): AsyncGenerator<StoreStep> {
    // A daemon may never need it.
    const { workOnStore } = await import("./work.ts");
    yield* workOnStore(work, {
      ...context,
      random: systemRandom,
      openTarget: (name, prefix) => {
        const config = this.#config;
        const target = targetNamed(config, name);
        return storeAt(config, { ...target, prefix: prefix ?? target.prefix }, this.#logger);
      },
    });
  }

  /**
   * Write the steps of a backup to a file of the configured folder.
   *
   * @returns its path
   * @throws JobError like `backUpToFolder`; `not_found` without a configured folder
   */
  async backUp(steps: AsyncIterable<StoreStep>, context: BackupFolderContext): Promise<string> {
    const settings = this.#backup;
    if (settings === null) {
      throw new JobError("not_found", "Cannot back up the store: store.backup is not configured", {
        hint: "Add store.backup.schedule and store.backup.path, then run jobctl reload",
      });
    }
    const { backUpToFolder } = await import("./backup_folder.ts");
    return await backUpToFolder(steps, settings, context);
  }

  /** Apply the targets and the backups of a reloaded configuration. */
  adopt({ store: { targets }, backup }: Pick<Config, "store" | "backup">): void {
    this.#config = { ...this.#config, targets };
    this.#backup = backup;
  }
}

/** Fill the configured store with a backup. @param lines reads the backup from its first line */
export async function restoreConfigured(
  lines: () => AsyncIterable<string>,
  options: {
    /** Name of the backup in messages. */
    readonly name: string;
    readonly place: StorePlace;
    readonly clock: Clock;
    readonly progress: (text: string) => void;
  },
): Promise<Restored> {
  const { name, place, clock, progress } = options;
  const config = await loadStoreConfig(place);
  const parts = { clock, random: systemRandom, logger: silentLogger };
  const store = createStore(config, { ...parts, salvages: "empty" });
  const { restoreBackup } = await import("./restore.ts");
  return await restoreBackup(lines, { name, store, clock, node: NODE, progress });
}

/** Run a maintenance task on a configured store that no local daemon has open. */
export async function* workOffline(
  work: StoreWork,
  place: StorePlace,
  options: { readonly logger: Logger; readonly clock: Clock; readonly signal?: AbortSignal },
): AsyncGenerator<StoreStep> {
  const { logger, clock, signal } = options;
  const config = await loadStoreConfig(place);
  const { salvageFile, workOnStore } = await import("./work.ts");
  if (work.type === "salvage") {
    if (config.address.type === "sqlite") return yield* salvageFile(config.address.path, clock);
    const message = `Cannot salvage ${config.url}: it is not a SQLite file`;
    const hint = "Use store backup without --salvage";
    throw new JobError("invalid_argument", message, { hint });
  }
  const store = createStore(config, { clock, random: systemRandom, logger });
  const info = await store.open({ at: clock.now(), node: NODE, isMaintenance: true });
  try {
    yield* workOnStore(work, {
      store,
      info,
      node: NODE,
      clock,
      signal,
      drainMs: DRAIN_MS,
      random: systemRandom,
      // The user of the command may open any URL.
      openTarget: (to, prefix) => {
        const target = TARGET_NAME.test(to)
          ? targetNamed(config, to)
          : { address: parseStoreUrl(to), url: maskUrl(to), prefix: null };
        return storeAt(config, { ...target, prefix: prefix ?? target.prefix }, logger);
      },
      suspend: () => Promise.resolve(() => {}),
    });
  } finally {
    await store.close();
  }
}
