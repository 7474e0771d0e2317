import { formatDuration } from "../time/duration.ts";
import { JobError } from "../errors.ts";
import { argumentsOf } from "../arguments/describe.ts";
import { didYouMean } from "../text/nearest.ts";
import type { Signature, TypeShape } from "../arguments/signature.ts";
import { missingTags } from "./tags.ts";

/** Most workers of one node. */
export const WORKERS_MAX = 1_000;
/** Longest `by`, in paths. */
export const BY_PATHS_MAX = 8;

/** Most instances of a job that run at once. */
export interface ConcurrencyLimit {
  readonly max: number;
  /** Parameters or paths into them (`customer.id`) that make the key; empty: one for all. */
  readonly by: readonly string[];
  /** True if each node counts separately; otherwise all count together. */
  readonly per: "cluster" | "node";
  /** Slots are kept from the first attempt to the end; absent: while an attempt runs. */
  readonly hold?: "instance";
}

/** Most starts of a job within any span of `perMs`; every attempt is a start. */
export interface RateLimit {
  readonly max: number;
  readonly perMs: number;
  readonly by: readonly string[];
}

/** Limits on the claims of one kind. Limits with `by` count each queue key separately. */
export interface JobLimits {
  readonly concurrency: readonly ConcurrencyLimit[];
  readonly rate: readonly RateLimit[];
}

/** A share of a node that kinds have in common. */
export interface PoolLimit {
  readonly name: string;
  readonly kinds: ReadonlySet<string>;
  /** Most claims of these kinds that the claiming node holds at once. */
  readonly max: number;
}

/**
 * The limits for a node's claims. The store counts slots in use and starts, so that a changed limit
 * applies to waiting instances at once, and nodes may have different limits.
 */
export interface ClaimLimits {
  /** By kind; a kind without any is absent. */
  readonly kinds: ReadonlyMap<string, JobLimits>;
  readonly pools: readonly PoolLimit[];
}

/** The reason why a due item is not claimed. */
export interface Block {
  /** "node": no live node runs the kind; "workers": the nodes that run it lack workers. */
  readonly limit: "concurrency" | "rate" | "pool" | "node" | "workers";
  /** The kind, the pool or the queue key that it holds back. */
  readonly name: string;
  /** Claims held, or starts within the span; 0 of 0 for "node" and "workers". */
  readonly used: number;
  readonly max: number;
  /** Time when a rate opens again, epoch ms; null for a slot, which opens when freed. */
  readonly opensAt: number | null;
  /** For "node": tags that the job needs and no live node has; absent for other reasons. */
  readonly needs?: readonly string[];
  /** The number of live nodes, with `needs`. */
  readonly nodes?: number;
}

/** The block of a kind that no live node runs, from the tags it needs and the live nodes' tags. */
export function unservedBlock(
  kind: string,
  needs: readonly string[] = [],
  tags: readonly ReadonlySet<string>[] = [],
): Block {
  const block = { limit: "node", name: kind, used: 0, max: 0, opensAt: null } as const;
  const isTagged = needs.length > 0 && tags.every((of) => missingTags(needs, of).length > 0);
  if (!isTagged) return block;
  const unknown = needs.filter((need) => tags.every((of) => !of.has(need)));
  return { ...block, needs: unknown.length > 0 ? unknown : needs, nodes: tags.length };
}

/** The block of a kind whose nodes all have 0 workers. */
export function workersBlock(kind: string): Block {
  return { limit: "workers", name: kind, used: 0, max: 0, opensAt: null };
}

/** Tags that no live node has, in words: `tag "gpu": none of 2 live nodes has it`. */
export function missingTagsText(needs: readonly string[], nodes: number): string {
  const names = needs.map((need) => `"${need}"`).join(", ");
  const all = `${nodes} live ${nodes === 1 ? "node" : "nodes"}`;
  return needs.length === 1
    ? `tag ${names}: none of ${all} has it`
    : `tags ${names}: none of ${all} has all of them`;
}

/** A block in words: `concurrency of mail (2 of 2)`, `pool heavy (1 of 1)`. */
export function blockWords(
  block: {
    readonly limit: string;
    readonly name: string;
    readonly used: unknown;
    readonly max: unknown;
    readonly needs?: readonly string[];
    readonly nodes?: number | undefined;
  },
): string {
  const { needs = [], nodes = 0 } = block;
  if (needs.length > 0) {
    return `a node for job "${block.name}", which needs ${missingTagsText(needs, nodes)}`;
  }
  if (block.limit === "node") return `a node that runs job "${block.name}": no live one does`;
  if (block.limit === "workers") {
    return `a worker: no node that runs job "${block.name}" has one (jobctl workers scale)`;
  }
  const what = block.limit === "pool" ? "pool" : `${block.limit} of`;
  return `${what} ${block.name} (${block.used} of ${block.max})`;
}

/** Rule for equal instances of a job. */
export interface UniquePolicy {
  /** Parameters or paths into them; null: all arguments. */
  readonly by: readonly string[] | null;
  /** Time for which an instance keeps its key after acceptance; null: until it finishes. */
  readonly forMs: number | null;
  /** "keep": the first stays; "replace": a newer one replaces a waiting one. */
  readonly onConflict: "keep" | "replace";
}

/** Rule for taking a unique key. */
export interface UniqueRule {
  /**
   * Time from acceptance for which the instance keeps the key, even after it has finished; null:
   * until it finishes. A cancel frees the key at once.
   */
  readonly forMs: number | null;
  /**
   * If another instance has the key: "refuse" returns it for equal arguments and otherwise refuses,
   * "keep" returns it, "replace" cancels a waiting one, refuses a running one and returns a
   * finished one.
   */
  readonly onConflict: "refuse" | "keep" | "replace";
}

/** The rule for a key without settings. */
export const UNIQUE_DEFAULT: UniqueRule = { forMs: null, onConflict: "refuse" };

const NO_PATHS: readonly string[] = [];

/** The paths that split the instances of a job into queues; none when no limit has a key. */
export function queuePathsOf(limits: JobLimits): readonly string[] {
  const hasKey = ({ by }: { readonly by: readonly string[] }) => by.length > 0;
  return (limits.concurrency.find(hasKey) ?? limits.rate.find(hasKey))?.by ?? NO_PATHS;
}

/** The limit whose slots instances keep to their end; undefined without one. */
export function keptSlots({ concurrency }: JobLimits): ConcurrencyLimit | undefined {
  return concurrency.find(({ hold }) => hold === "instance");
}

/** True if a limit counts by queue: it has a key, or its waiting instances need a queue. */
export function isOfQueue(limit: RateLimit | ConcurrencyLimit): boolean {
  return limit.by.length > 0 || "hold" in limit;
}

/** True if there is anything to keep to. */
export function hasLimits({ concurrency, rate }: JobLimits): boolean {
  return concurrency.length > 0 || rate.length > 0;
}

/**
 * The values at `paths` as text, `account="acme",region=3`: the same for the same converted
 * arguments. A missing argument is null.
 */
export function keyText(
  signature: Signature,
  argumentsJson: string,
  paths: readonly string[],
): string {
  const given = JSON.parse(argumentsJson) as readonly unknown[];
  return paths.map((path) => `${path}=${canonicalJson(valueAt(signature, given, path))}`).join(",");
}

/** All arguments as text, alike for the same converted arguments. */
export function argumentsText(argumentsJson: string): string {
  const given = JSON.parse(argumentsJson) as unknown[];
  // An argument omitted at the end equals null.
  while (given.length > 0 && given.at(-1) === null) given.pop();
  return canonicalJson(given);
}

/** JSON text with the members of every object in the order of their names. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    const names = Object.keys(member).sort();
    return Object.fromEntries(names.map((name) => [name, Reflect.get(member, name)]));
  }) ?? "null";
}

function valueAt(signature: Signature, given: readonly unknown[], path: string): unknown {
  const found = find(signature, path);
  if (!found) return null;
  let value: unknown = found.parameter.isRest ? given.slice(found.index) : given[found.index];
  for (const member of found.members) {
    if (typeof value !== "object" || value === null) return null;
    value = Object.hasOwn(value, member) ? Reflect.get(value, member) : null;
  }
  return value ?? null;
}

/** The first parameter of a path; a destructured parameter is found by its members. */
function find(signature: Signature, path: string) {
  const names = path.split(".");
  for (const [index, parameter] of argumentsOf(signature).entries()) {
    if (parameter.isPattern) {
      const { shape } = parameter;
      const isMember = shape.type === "object" &&
        shape.members.some(({ name }) => name === names[0]);
      if (isMember) return { index, parameter, members: names };
    } else if (parameter.name === names[0]) return { index, parameter, members: names.slice(1) };
  }
  return null;
}

/** The parts of a job that its limits refer to. */
export interface LimitedJob {
  readonly kind: string;
  readonly signature: Signature;
  readonly limits: JobLimits;
  readonly unique: UniquePolicy | null;
}

/**
 * Check that limits name existing parameters, and that all limits with a key have the same one: an
 * instance waits in one queue. The limit whose slots are kept is the only one of its queue.
 *
 * @throws JobError `invalid_argument` with the key at fault as path
 */
export function checkLimits({ kind, signature, limits, unique }: LimitedJob): void {
  const paths = queuePathsOf(limits);
  for (const [key, list] of [["concurrency", limits.concurrency], ["rate", limits.rate]] as const) {
    for (const { by } of list) {
      if (by.length === 0) continue;
      checkPaths(kind, signature, by, key);
      if (by.length === paths.length && by.every((path, index) => path === paths[index])) continue;
      throw new JobError(
        "invalid_argument",
        `Cannot limit job "${kind}" by "${paths.join(", ")}" and by "${
          by.join(", ")
        }": its limits with a key must have the same one`,
        { path: key, hint: 'Give them the same "by", or leave it out of all but one' },
      );
    }
  }
  if (unique?.by) checkPaths(kind, signature, unique.by, "unique");
  const kept = keptSlots(limits);
  const other = kept && [...limits.concurrency, ...limits.rate].find((one) => {
    return one !== kept && isOfQueue(one);
  });
  if (!other) return;
  throw new JobError(
    "invalid_argument",
    `Cannot combine hold = "instance" of job "${kind}" with another limit by "${
      other.by.join(", ")
    }"`,
    { path: "concurrency", hint: "Beside it, only limits of the whole job are possible" },
  );
}

function checkPaths(
  kind: string,
  signature: Signature,
  paths: readonly string[],
  key: string,
): void {
  const parameters = argumentsOf(signature);
  for (const path of paths) {
    const found = find(signature, path);
    const problem = found
      ? missingMember(found.parameter.shape, found.members)
      : `it has no parameter "${path.split(".")[0]}"`;
    if (problem === null) continue;
    const known = parameters.map((one) => one.name).join(", ");
    throw new JobError("invalid_argument", `Cannot use "${path}" of job "${kind}": ${problem}`, {
      path: key,
      hint: parameters.length === 0
        ? 'Its parameters are not known: name them in "params"'
        : `Its parameters: ${known}`,
    });
  }
}

/** The problem with a path into a type, or null. Unknown parts of the type pass. */
function missingMember(shape: TypeShape, path: readonly string[]): string | null {
  const [name, ...rest] = path;
  if (name === undefined) return null;
  switch (shape.type) {
    case "unknown":
    case "record":
    case "ref":
      return null;
    case "union": {
      const problems = shape.members.map((member) => missingMember(member, path));
      return problems.includes(null) ? null : problems[0]!;
    }
    case "object": {
      const member = shape.members.find((one) => one.name === name);
      if (member) return missingMember(member.shape, rest);
      if (shape.rest) return missingMember(shape.rest, rest);
      const known = shape.members.map((one) => one.name).join(", ") || "none";
      return `there is no member "${name}", its members: ${known}`;
    }
    case "array":
      return /^\d+$/.test(name) ? missingMember(shape.element, rest) : noMember(name, "an array");
    case "tuple": {
      const element = /^\d+$/.test(name) ? shape.elements[Number(name)] : undefined;
      return element ? missingMember(element.shape, rest) : noMember(name, "a tuple");
    }
    default:
      return noMember(name, `a ${shape.type}`);
  }
}

function noMember(name: string, what: string): string {
  return `${what} has no member "${name}"`;
}

/** Check that a pool exists. @throws JobError `invalid_argument` */
export function checkPool(
  kind: string,
  pool: string | null,
  pools: Readonly<Record<string, number>>,
): void {
  if (pool === null || Object.hasOwn(pools, pool)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot run job "${kind}" in pool "${pool}": there is none`,
    {
      path: "pool",
      hint: didYouMean(pool, Object.keys(pools)) ?? `Add it to [worker.pools]: ${pool} = 2`,
    },
  );
}

/** Limits of a job in words, one text each: `2 at once by account`, `pool heavy`. */
export function describeLimits(
  options: JobLimits & {
    readonly unique: UniquePolicy | null;
    readonly pool: string | null;
    readonly waitingMax: number | null;
  },
): readonly string[] {
  const byText = (by: readonly string[]) => by.length === 0 ? "" : ` by ${by.join(", ")}`;
  const { concurrency, rate, unique, pool, waitingMax } = options;
  return [
    ...concurrency.map(({ max, by, per, hold }) => {
      const held = hold === "instance" ? " until their end" : "";
      return `${max} at once${byText(by)}${per === "node" ? " on a node" : ""}${held}`;
    }),
    ...rate.map(({ max, perMs, by }) => `${max} starts in ${formatDuration(perMs)}${byText(by)}`),
    ...(pool === null ? [] : [`pool ${pool}`]),
    ...(waitingMax === null ? [] : [`${waitingMax} waiting`]),
    ...(unique === null ? [] : [uniqueText(unique)]),
  ];
}

function uniqueText({ by, forMs, onConflict }: UniquePolicy): string {
  const span = forMs === null ? "" : ` for ${formatDuration(forMs)}`;
  const text = `unique by ${by === null ? "arguments" : by.join(", ")}${span}`;
  return onConflict === "keep" ? text : `${text}, replacing`;
}
