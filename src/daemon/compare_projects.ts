import type { Config } from "../config/config.ts";
import type { Settings } from "../core/settings/config_settings.ts";
import type { JobDefinition } from "../core/job/job.ts";
import { snakeCase } from "../core/text/snake_case.ts";
import type { ConfigChange } from "../manager/api/daemon.ts";

/** Sections that differ and that a running daemon cannot change. */
export function fixedDifferences(before: Config, after: Config): readonly string[] {
  const sections = ["log", "node", "store", "server"] as const;
  // Targets of a move are only looked up, so they can be reloaded.
  const store = { ...after.store, targets: before.store.targets };
  // The credentials can too, but not the way callers authenticate.
  const { tokens, clients, tokensFile, revokedFile } = before.server.auth;
  const auth = { ...after.server.auth, tokens, clients, tokensFile, revokedFile };
  const there = { ...after, store, server: { ...after.server, auth } };
  const different: string[] = sections.filter((name) => !isSame(before[name], there[name]));
  const { count: _, ...workerBefore } = before.worker;
  const { count: __, ...workerAfter } = after.worker;
  return isSame(workerBefore, workerAfter) ? different : [...different, "worker"];
}

/** The jobs of a configuration, and the kinds that it names but does not load. */
export interface NamedJobs {
  readonly jobs: readonly JobDefinition[];
  /** The reason by kind. */
  readonly disabled: ReadonlyMap<string, string>;
}

/** Every job that is new, gone or changed, also by being disabled or enabled again; by kind. */
export function jobChanges(before: NamedJobs, after: NamedJobs): readonly ConfigChange[] {
  const old = new Map(before.jobs.map((job) => [job.kind, job]));
  const changes: ConfigChange[] = [];
  for (const job of after.jobs) {
    const { kind } = job;
    const there = old.get(kind);
    old.delete(kind);
    if (there === undefined) {
      changes.push({ change: before.disabled.has(kind) ? "enabled" : "added", kind });
    } else {
      const keys = changedKeys(there, job);
      if (keys.length > 0) changes.push({ change: "changed", kind, keys });
    }
  }
  for (const kind of old.keys()) {
    changes.push({ change: after.disabled.has(kind) ? "disabled" : "removed", kind });
  }
  return changes.sort((a, b) => a.kind! < b.kind! ? -1 : 1);
}

/** Number of jobs added, changed (also disabled or enabled again) and removed. */
export function countChanges(
  changes: readonly ConfigChange[],
): { readonly added: number; readonly changed: number; readonly removed: number } {
  const count = (change: ConfigChange["change"]) =>
    changes.filter((one) => one.kind !== undefined && one.change === change).length;
  return {
    added: count("added"),
    changed: count("changed") + count("disabled") + count("enabled"),
    removed: count("removed"),
  };
}

/** Parts of a definition under the names that authors know. */
const PART_NAMES: Readonly<Record<string, string>> = {
  hasHandler: "handlers",
  signature: "parameters",
  argv: "command",
};

/** The parts of two definitions of a job that differ, by their names in TOML or in words. */
function changedKeys(before: JobDefinition, after: JobDefinition): readonly string[] {
  // If a command became a module, or the reverse, every part of its source differs.
  const hasMoved = before.source.type !== after.source.type;
  const [a, b] = [partsOf(before, hasMoved), partsOf(after, hasMoved)];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  const different = [...names].filter((name) => !isSame(a[name], b[name]));
  const keys = different.map((name) =>
    PART_NAMES[name] ?? snakeCase(name.replace(/(?:Ms|Bytes)$/, ""))
  );
  return [...new Set(keys)];
}

/** @param hasMoved true to leave out the parts of the source */
function partsOf(job: JobDefinition, hasMoved: boolean): Readonly<Record<string, unknown>> {
  const { kind: _, registeredAt: __, source, options, schedules, ...others } = job;
  return {
    ...others,
    ...options,
    ...(hasMoved
      ? { source: source.type }
      : source.type === "module"
      ? { source: [source.path, source.entry], code: source.version, ...source.process }
      : source.type === "command"
      ? { source: "command", ...source.command }
      : { source }),
    schedule: schedules.map(({ spec }) => spec),
    args: schedules.map((schedule) => schedule.arguments),
  };
}

/** Settings in sections that need a restart, and that a reload applies all the same. */
const RELOADED =
  /^(?:worker\.count|store\.targets|server\.auth\.(?:tokens|clients|tokens_file)|server\.tls\.revoked)/;

/**
 * Every setting whose value differs, including tables of jobs and channels, without secrets.
 *
 * @param restart sections that need a restart
 */
export function settingChanges(
  before: Settings,
  after: Settings,
  restart: readonly string[],
): readonly ConfigChange[] {
  const old = new Map(before.settings.map(({ path, value }) => [path, value]));
  const changes: ConfigChange[] = [];
  const add = (path: string, values: Pick<ConfigChange, "before" | "after">) => {
    const section = path.split(".", 1)[0]!;
    const change = values.before === undefined
      ? "added"
      : values.after === undefined
      ? "removed"
      : "changed";
    const needsRestart = restart.includes(section) && !RELOADED.test(path);
    changes.push({ change, path, ...values, needsRestart });
  };
  for (const { path, value } of after.settings) {
    const there = old.get(path);
    old.delete(path);
    if (there !== value) add(path, { before: there, after: value });
  }
  for (const [path, value] of old) add(path, { before: value, after: undefined });
  return changes;
}

/** The kinds of jobs that a configuration no longer loads. */
export function goneKinds(
  before: readonly JobDefinition[],
  after: readonly JobDefinition[],
): readonly string[] {
  const kept = new Set(after.map(({ kind }) => kind));
  return before.map(({ kind }) => kind).filter((kind) => !kept.has(kind));
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
