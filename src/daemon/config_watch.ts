import { orElse } from "../core/or_else.ts";
import { type Dirent, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { stampOf } from "../jobs/loading/module_files.ts";
import type { Logger } from "../platform/logger.ts";

/** Interval between looks at the files. */
const LOOK_MS = 500;
/** Most files of a folder to look at, and the depth of the search. */
const FILES_MAX = 10_000;
const DEPTH_MAX = 10;
/** Most changed files that a line of the log names. */
const FILES_SHOWN_MAX = 5;
const CONFIG_FILE = /\.toml$/;
const MODULE_FILE = /\.(?:m?[tj]s|json)$/;

/** Watched files. The list may change meanwhile. */
export interface WatchedPlaces {
  /** Files by path, whether they exist or not. */
  readonly files: readonly string[];
  /** Folders whose `.toml` files are part of the configuration, without those below. */
  readonly configFolders: readonly string[];
  /** Folders of job modules. */
  readonly moduleFolders: readonly string[];
}

/** Finds the files of a configuration that have changed, on any file system, by looking at them. */
export class ConfigWatch {
  readonly #places: () => WatchedPlaces;
  readonly #wait: (delayMs: number) => Promise<void>;
  #stamps: ReadonlyMap<string, string | null>;

  constructor(
    { places, wait }: {
      readonly places: () => WatchedPlaces;
      readonly wait: (delayMs: number) => Promise<void>;
    },
  ) {
    this.#places = places;
    this.#wait = wait;
    this.#stamps = stampsOf(places());
  }

  /** Resolves with the files that were changed, added or removed since the last call. */
  async changed(signal: AbortSignal): Promise<readonly string[]> {
    while (!signal.aborted) {
      const places = this.#places();
      const found = stampsOf(places);
      const before = this.#stamps;
      const named = new Set(places.files);
      const changed = [...found].filter(([path, stamp]) =>
        // A file named only since a reload existed before.
        before.has(path) ? before.get(path) !== stamp : !named.has(path)
      );
      const removed = [...before].filter(([path, stamp]) =>
        !found.has(path) && stampOf(path) !== stamp
      );
      this.#stamps = found;
      if (changed.length + removed.length > 0) {
        return [...changed, ...removed].map(([path]) => path).sort();
      }
      await this.#wait(LOOK_MS);
    }
    return [];
  }
}

/** Resolves once one of these files was changed, added or removed. */
export async function filesChanged(
  files: readonly string[],
  wait: (delayMs: number) => Promise<void>,
): Promise<void> {
  const places = { files: [...new Set(files)], configFolders: [], moduleFolders: [] };
  await new ConfigWatch({ places: () => places, wait }).changed(new AbortController().signal);
}

/** Changes when a file of these places does. */
export function stampOfPlaces(places: WatchedPlaces): string {
  return [...stampsOf(places)].map(([path, stamp]) => `${path} ${stamp}`).join("\n");
}

function stampsOf({ files, configFolders, moduleFolders }: WatchedPlaces) {
  const paths = new Set(files);
  for (const folder of configFolders) addFiles(folder, CONFIG_FILE, paths, DEPTH_MAX);
  for (const folder of moduleFolders) addFiles(folder, MODULE_FILE, paths, 0);
  return new Map([...paths].map((path) => [path, stampOf(path)]));
}

/** @param depth DEPTH_MAX for the folder without those below */
function addFiles(folder: string, pattern: RegExp, paths: Set<string>, depth: number): void {
  for (const entry of entriesOf(folder)) {
    if (paths.size >= FILES_MAX) return;
    const { name } = entry;
    if (name.startsWith(".") || name === "node_modules") continue;
    const path = join(folder, name);
    if (pattern.test(name)) paths.add(path);
    else if (depth < DEPTH_MAX && entry.isDirectory()) addFiles(path, pattern, paths, depth + 1);
  }
}

function entriesOf(folder: string): readonly Dirent[] {
  // It is watched until it is there.
  return orElse(() => readdirSync(folder, { withFileTypes: true }), []);
}

interface WatchedReloader {
  places(): WatchedPlaces;
  /** @returns the sections that need a restart */
  reload(options: { readonly force: boolean }): Promise<{ readonly restart: readonly string[] }>;
}

/** Reload whenever a file has changed, until `signal` aborts. */
export async function watchConfig(
  reloader: WatchedReloader,
  { logger, signal, wait, restart }: {
    readonly logger: Logger;
    readonly signal: AbortSignal;
    readonly wait: (delayMs: number) => Promise<void>;
    /** Start the daemon again: a setting needs that. */
    readonly restart: () => void;
  },
): Promise<void> {
  const watch = new ConfigWatch({ places: () => reloader.places(), wait });
  logger.info("Watching the files of the configuration and the job modules");
  for (;;) {
    const files = (await watch.changed(signal)).map((path) => relative(process.cwd(), path));
    if (signal.aborted) return;
    logger.info(`Changed: ${files.slice(0, FILES_SHOWN_MAX).join(", ")}`, { files: files.length });
    try {
      const { restart: sections } = await reloader.reload({ force: true });
      if (sections.length > 0) {
        logger.info(`Restarting to apply [${sections.join("], [")}]`);
        return restart();
      }
    } catch {
      // The problems have been logged. The next change may end them.
    }
  }
}
