import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { JobError, messageOf } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";
import { ReplicaStore } from "../replica/store.ts";
import type { ReplicaMedium } from "../replica/medium.ts";
import type { Store } from "../store.ts";
import { GuardedMedium } from "./guarded_medium.ts";

/** The argument of a module's function that makes a store. */
export interface StoreContext {
  /** `store.url` as configured. */
  readonly url: string;
  /** The directory for files: the module's own, except in a self-test. */
  readonly directory: string;
  /** `store.prefix`. */
  readonly prefix: string;
}

/** The default export of a module named by `store.url`: a medium, or a function that makes one. */
export type StoreModule =
  | ReplicaMedium
  | ((context: StoreContext) => ReplicaMedium | Promise<ReplicaMedium>);

const METHODS = ["load", "version", "commit", "watch", "close"] as const;

/** Parts to make a store of. */
interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  /** Allowed difference between the nodes' clocks; absent: they are not compared. */
  readonly maxSkewMs?: number;
}

/** Make the store over a medium. @throws JobError `invalid_config` for anything else */
export function storeOver(
  value: unknown,
  { clock, random, maxSkewMs }: Parts,
  name: string,
): Store {
  const problem = mediumProblem(value);
  if (problem !== null) throw refused(name, problem);
  const medium = new GuardedMedium(value as ReplicaMedium);
  return new ReplicaStore({ medium, clock, random, maxSkewMs });
}

/** Why a value is not a medium; null if valid. */
function mediumProblem(value: unknown): string | null {
  if (typeof value !== "object" || value === null) {
    return `${wordFor(value)} is not a ReplicaMedium`;
  }
  const typeOf = (name: string) => typeof Reflect.get(value, name);
  const missing: string[] = METHODS.filter((name) => typeOf(name) !== "function");
  if (missing.includes("commit") && typeOf("enqueue") === "function") {
    return "it is a whole Store, and jobctl makes stores itself, over a medium";
  }
  if (METHODS.every((name) => name === "close" || missing.includes(name))) {
    return `${wordFor(value)} is not a ReplicaMedium`;
  }
  for (const name of ["type", "location"]) {
    if (typeOf(name) !== "string") missing.push(`${name} (a string)`);
  }
  if (typeOf("isDurable") !== "boolean") missing.push("isDurable (true or false)");
  return missing.length === 0
    ? null
    : `it is an incomplete ReplicaMedium: ${missing.join(", ")} missing`;
}

/** Load a module and make its store, not yet open. */
export async function loadModuleStore(
  { path, directory, url, prefix }: {
    readonly path: string;
    /** Absent: the module's own. */
    readonly directory?: string;
    readonly url: string;
    readonly prefix: string;
  },
  parts: Parts,
): Promise<Store> {
  const file = resolve(path);
  if (!existsSync(file)) throw refused(url, `there is no file ${file}`);
  let module: { readonly default?: unknown };
  try {
    module = await import(pathToFileURL(file).href) as typeof module;
  } catch (thrown) {
    throw refused(url, `loading it failed: ${messageOf(thrown)}`, thrown);
  }
  const exported = module.default;
  if (exported === undefined) throw refused(url, "it has no default export");
  if (typeof exported !== "function") return storeOver(exported, parts, url);
  let made: unknown;
  try {
    const context: StoreContext = { url, prefix, directory: directory ?? dirname(file) };
    made = await (exported as (context: StoreContext) => unknown)(context);
  } catch (thrown) {
    if (thrown instanceof JobError) throw thrown;
    throw refused(url, `its function failed: ${messageOf(thrown)}`, thrown);
  }
  return storeOver(made, parts, url);
}

function wordFor(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return `${typeof value} "${String(value).slice(0, 100)}"`;
  return `an object with ${Object.keys(value).slice(0, 10).join(", ") || "no members"}`;
}

function refused(name: string, problem: string, cause?: unknown): JobError {
  return new JobError("invalid_config", `Cannot use store "${name}": ${problem}`, {
    path: "store.url",
    hint: `Export a medium with ${METHODS.join(", ")}: "jobctl docs stores" has an example`,
    cause,
  });
}
