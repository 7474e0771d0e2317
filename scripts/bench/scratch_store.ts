import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseStoreUrl } from "../../src/core/settings/store_address.ts";
import { STORE_DEFAULTS } from "../../src/core/settings/store_config.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { systemRandom } from "../../src/platform/random.ts";
import type { StoreOptions } from "../../src/index.ts";
import { createStore } from "../../src/store/opening/open_store.ts";
import type { Store } from "../../src/store/store.ts";
import { requireServers } from "./require_servers.ts";
import { startEtcd } from "../../test/support/servers/etcd_server.ts";
import { startValkey } from "../../test/support/servers/valkey_server.ts";
import { removeFolder } from "../../test/support/temp_dir.ts";

/**
 * As Valkey advises where nothing may be lost but the last second: what `jobctl` is told to want.
 */
export const VALKEY_CONFIG = { "appendfsync": "everysec", "maxmemory-policy": "noeviction" };

/** A store for one measurement that nothing else uses. */
export interface ScratchStore {
  /** A folder for what else the measurement writes. */
  readonly dir: string;
  /** The store in a daemon's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** For a manager in this process. */
  readonly options: StoreOptions;
  /** Without a manager: not yet open, another one with each call. */
  open(): Store;
  /** Take away what was written; call when nothing uses the store any more. */
  clean(): Promise<void>;
}

interface Place {
  readonly url: string;
  clean(): Promise<void>;
}

/** Most keys of one command line. */
const UNLINK_MAX = 500;

let count = 0;

/** An empty store of the kind that `store` names; see `--store` of the command. */
export async function scratchStore(store: string): Promise<ScratchStore> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const prefix = `bench-${process.pid}-${++count}`;
  const { url, clean } = await placeOf(store, dir, prefix);
  return {
    dir,
    env: { JOBCTL_STORE_URL: url, JOBCTL_STORE_PREFIX: prefix },
    options: storeOptions(url, prefix),
    open: () => openStore(url, prefix),
    async clean() {
      await clean();
      removeFolder(dir);
    },
  };
}

/** The store of a URL, its keys under `prefix` where it shares a server; not yet open. */
export function openStore(url: string, prefix: string): Store {
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return createStore({ ...STORE_DEFAULTS, address: parseStoreUrl(url), url, prefix }, parts);
}

/** The same store for a manager of the library. */
export function storeOptions(url: string, prefix: string): StoreOptions {
  const { type } = parseStoreUrl(url);
  return type === "valkey" || type === "etcd" ? { url, prefix } : { url };
}

async function placeOf(store: string, dir: string, prefix: string): Promise<Place> {
  const nothing = () => Promise.resolve();
  if (store === "sqlite:") return { url: `sqlite:${join(dir, "bench.db")}`, clean: nothing };
  if (store === "valkey" || store === "etcd") requireServers();
  if (store === "valkey") {
    const server = await startValkey({ appendonly: true, config: VALKEY_CONFIG });
    return { url: server.url, clean: () => server.close() };
  }
  if (store === "etcd") {
    const server = await startEtcd();
    return { url: server.url, clean: () => server.close() };
  }
  if (parseStoreUrl(store).type === "module") {
    // Files beside it are removed with the folder.
    const url = join(dir, basename(store));
    copyFileSync(store, url);
    return { url, clean: nothing };
  }
  const { protocol } = new URL(store);
  if (protocol === "etcd:") return { url: store, clean: async () => cleanEtcd(store, prefix) };
  if (/^(valkey|redis):$/.test(protocol)) {
    return { url: store, clean: async () => cleanValkey(store, prefix) };
  }
  return { url: store, clean: nothing };
}

function cleanValkey(url: string, prefix: string): void {
  const cli = (...args: string[]) => {
    return spawnSync("valkey-cli", ["-u", url, ...args], { encoding: "utf8" });
  };
  const { status, stdout } = cli("--scan", "--pattern", `*${prefix}*`);
  const keys = stdout?.split("\n").filter((key) => key !== "") ?? [];
  let isClean = status === 0;
  for (let from = 0; from < keys.length; from += UNLINK_MAX) {
    const { status: unlinked } = cli("UNLINK", ...keys.slice(from, from + UNLINK_MAX));
    if (unlinked !== 0) isClean = false;
  }
  if (!isClean) left(prefix);
}

function cleanEtcd(url: string, prefix: string): void {
  const { host, username, password } = new URL(url);
  const user = username === "" ? [] : ["--user", `${username}:${password}`];
  const args = ["--endpoints", host, ...user, "del", "--prefix", prefix];
  if (spawnSync("etcdctl", args).status !== 0) left(prefix);
}

function left(prefix: string): void {
  console.error(`Left on the server: what the measurement wrote under the prefix "${prefix}"`);
}
