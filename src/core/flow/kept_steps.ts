import { JobError } from "../errors.ts";
import { quoteValue } from "../text/quote_value.ts";
import {
  type Continued,
  CONTINUED_KEY,
  groupOf,
  isTurnIdsKey,
  roundPrefix,
  signalKey,
  SIGNALS_KEY,
  STEP_CHARS_MAX,
  type StepPut,
  STEPS_MAX,
  UNDO_KEY,
} from "../wait.ts";
import type { RetryFrom } from "./retry_from.ts";
import { decoded, fieldsOf } from "./step_info.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A step, wait or call with an outcome. */
interface Outcome {
  readonly key: string;
  readonly name: string;
  readonly order: number;
  readonly fields: Fields;
  readonly hasFailed: boolean;
}

/** Names shown in an error. */
const SHOWN_MAX = 10;

/**
 * The records that a repeated instance begins with: the outcomes of the first before a step, or
 * before the first failure.
 *
 * @throws JobError `not_found` for a step that it does not have; `invalid_argument` for a name of
 * several; `conflict` if one that is kept was undone
 */
export function keptSteps(
  records: ReadonlyMap<string, string>,
  { from, only = false, set = {} }: RetryFrom,
  nowMs: number,
): { readonly keys: readonly string[]; readonly puts: readonly StepPut[] } {
  const outcomes = outcomesOf(records);
  const first = from === undefined
    ? outcomes.find(({ hasFailed }) => hasFailed)
    : oneOf(outcomes, from, keyOfOpen(records));
  const until = first?.order ?? Infinity;
  const continued = records.get(CONTINUED_KEY);
  const { round } = fieldsOf(continued ?? "{}") as Partial<Continued>;
  const prefix = roundPrefix({ round: round ?? 1 });
  const given = new Map(
    Object.entries(set).map(([name, value]) => {
      const found = namedOutcomes(outcomes, name);
      if (found.length > 1) throw ambiguous(name, found);
      return [found[0]?.key ?? `${prefix}step:${name}`, { name: found[0]?.name ?? name, value }];
    }),
  );
  const kept = outcomes.filter(({ key, order }) =>
    !given.has(key) && (only ? key !== first?.key : order < until)
  );
  for (const { key, name } of kept) {
    if (records.has(`${key}!undo`)) throw undone(name);
  }
  const keys = kept.flatMap(({ key }) => [key, ...partsOf(key, records)]);
  if (continued !== undefined) keys.push(CONTINUED_KEY);
  const lastAt = Math.max(-1, ...kept.map(({ fields }) => Number(fields.at ?? 0)));
  for (const [key, text] of records) {
    if (/(^|\.)now#\d+$/.test(key) && Number(fieldsOf(text).at) <= lastAt) keys.push(key);
  }
  if (keys.length > STEPS_MAX) {
    throw new JobError(
      "resource_exhausted",
      `Cannot keep the ${keys.length} records of its steps: at most ${STEPS_MAX}`,
      { hint: "Retry it from an earlier step, or as a whole" },
    );
  }
  const puts = [...signalPuts(kept, records), ...setPuts(given, outcomes, nowMs)];
  if (kept.some(({ fields }) => fields.hasUndo)) puts.push({ key: UNDO_KEY, data: "{}" });
  return { keys, puts };
}

/** The outcomes in the order in which job code got them, without undos and canceled ones. */
function outcomesOf(records: ReadonlyMap<string, string>): readonly Outcome[] {
  const found: Outcome[] = [];
  for (const [key, text] of records) {
    const name = nameOf(key);
    const isMember = key.startsWith("all:") && groupOf(key) !== null;
    if (name === null || key.endsWith("!undo") || isMember || /^(order|canceled)\//.test(key)) {
      continue;
    }
    if (records.has(`canceled/${key}`)) continue;
    const fields = fieldsOf(text);
    const apart = records.get(`order/${key}`);
    const ended = apart === undefined ? fields : fieldsOf(apart);
    const order = fields.order ?? ended.order;
    if (typeof order !== "number") continue;
    found.push({ key, name, order, fields, hasFailed: isFailed(fields) || "failed" in ended });
  }
  return found.sort((a, b) => a.order - b.order);
}

/** Keys of steps and waits that have no outcome, by their names. */
function keyOfOpen(records: ReadonlyMap<string, string>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const key of records.keys()) {
    const name = nameOf(key);
    if (name !== null) names.add(name).add(key);
  }
  return names;
}

/** The name in the key of a step, wait or call; the kind of children. Null for other records. */
function nameOf(key: string): string | null {
  const [, type, name] = /(?:^|\.)(step|sleep|wait|call|all):([^[#/]*)/.exec(key) ?? [];
  if (type === "call" || type === "all") return decoded(name!.split(":")[0]!);
  return name ?? null;
}

function namedOutcomes(outcomes: readonly Outcome[], word: string): readonly Outcome[] {
  const exact = outcomes.filter(({ key }) => key === word);
  return exact.length > 0 ? exact : outcomes.filter(({ name }) => name === word);
}

/** The outcome that a word names; undefined for a step that is still open. */
function oneOf(
  outcomes: readonly Outcome[],
  word: string,
  open: ReadonlySet<string>,
): Outcome | undefined {
  const found = namedOutcomes(outcomes, word);
  if (found.length > 1) throw ambiguous(word, found);
  if (found.length === 1 || open.has(word)) return found[0];
  const names = [...new Set(outcomes.map(({ name }) => name))].slice(0, SHOWN_MAX);
  throw new JobError("not_found", `Cannot retry from ${quoteValue(word)}: it has no such step`, {
    path: "from",
    hint: names.length === 0 ? "It has no steps" : `Its steps: ${names.join(", ")}`,
  });
}

/** Keys of further records of a call: its place, its children and their count. */
function partsOf(key: string, records: ReadonlyMap<string, string>): readonly string[] {
  const own = records.has(`order/${key}`) ? [`order/${key}`] : [];
  if (!key.includes("all:")) return own;
  const parts = [...records.keys()].filter((one) => one.startsWith(`${key}/`));
  return [...own, ...parts.filter((one) => !isTurnIdsKey(one))];
}

/** The waits that took signals, with these signals, numbered anew. */
function signalPuts(
  kept: readonly Outcome[],
  records: ReadonlyMap<string, string>,
): StepPut[] {
  const counts: Record<string, number> = {};
  const puts: StepPut[] = [];
  for (const { key, fields } of kept) {
    const taken = typeof fields.signal === "string" ? records.get(fields.signal) : undefined;
    if (taken === undefined) continue;
    const [, name] = /^signal\/(.*)\/\d+$/.exec(fields.signal as string) ?? [];
    const n = counts[name!] = (counts[name!] ?? 0) + 1;
    const signal = signalKey(name!, n);
    puts.push({ key: signal, data: taken }, { key, data: JSON.stringify({ ...fields, signal }) });
  }
  if (puts.length > 0) puts.push({ key: SIGNALS_KEY, data: JSON.stringify(counts) });
  return puts;
}

function setPuts(
  given: ReadonlyMap<string, { readonly name: string; readonly value: unknown }>,
  outcomes: readonly Outcome[],
  nowMs: number,
): readonly StepPut[] {
  let last = outcomes.at(-1)?.order ?? 0;
  return [...given].map(([key, { name, value }]) => {
    if (!/(^|\.)step:/.test(key)) {
      throw new JobError("invalid_argument", `Cannot set "${name}": it is not a step`, {
        path: "set",
        hint: "Only steps have results that can be set",
      });
    }
    const order = outcomes.find((one) => one.key === key)?.order ?? ++last;
    const data = JSON.stringify({ type: "step", name, at: nowMs, tries: 0, order, value });
    if (data.length <= STEP_CHARS_MAX) return { key, data };
    throw new JobError("invalid_argument", `Cannot set "${name}": the value is too large`, {
      path: "set",
      hint: `At most ${STEP_CHARS_MAX} characters of JSON`,
    });
  });
}

function isFailed({ error, state }: Fields): boolean {
  return (error !== undefined && error !== null) ||
    (state !== undefined && state !== "completed");
}

function ambiguous(word: string, found: readonly Outcome[]): JobError {
  const keys = found.slice(0, SHOWN_MAX).map(({ key }) => key);
  return new JobError(
    "invalid_argument",
    `Cannot tell which step ${quoteValue(word)} is: it has ${found.length} of this name`,
    { path: "from", hint: `Give a key instead: ${keys.join(", ")}` },
  );
}

function undone(name: string): JobError {
  return new JobError(
    "conflict",
    `Cannot keep step "${name}": it was undone, so what comes after it cannot rely on it`,
    { path: "from", hint: `Retry from "${name}" or before it, or as a whole` },
  );
}
