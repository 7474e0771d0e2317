import { NEVER_DUE } from "../wait.ts";

/** One step, wait, child or signal of an instance, as people see it. */
export interface StepInfo {
  /** Identifies it within its instance. */
  readonly key: string;
  readonly type: "step" | "time" | "wait" | "child" | "children" | "signal";
  /** As job code named it; the kind of a child. */
  readonly name: string;
  /** "waiting" includes a step between two tries; "unused": no wait has taken the signal. */
  readonly state: "done" | "failed" | "timedOut" | "canceled" | "waiting" | "unused";
  /** When it was recorded last, epoch ms. */
  readonly at: number;
  /** Place among the outcomes of the instance, from 1; null without an outcome. */
  readonly order: number | null;
  /** Tries so far; 0 where there are none. */
  readonly tries: number;
  /**
   * JSON text of what it returned; null for nothing. Of several children: the number by state, and
   * of open ones.
   */
  readonly valueJson: string | null;
  readonly error: { readonly name: string; readonly message: string } | null;
  /** Its end in any case, or its next try, epoch ms; null for neither. */
  readonly dueAt: number | null;
  readonly childId: string | null;
  /** Of a signal: its sender; null if unknown. */
  readonly by: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

const KINDS: Readonly<Record<string, StepInfo["type"]>> = {
  step: "step",
  sleep: "time",
  wait: "wait",
};

/** The steps of an instance from its records, in the order of their outcomes. */
export function readSteps(records: ReadonlyMap<string, string>): readonly StepInfo[] {
  const steps: StepInfo[] = [];
  const taken = new Set<unknown>();
  for (const [key, data] of records) {
    const fields = fieldsOf(data);
    if (fields.type === "wait") taken.add(fields.signal);
    steps.push(...readStep(key, fields, records));
  }
  for (const [index, step] of steps.entries()) {
    if (taken.has(step.key)) steps[index] = { ...step, state: "done" };
  }
  const place = ({ order }: StepInfo) => order ?? Infinity;
  return steps.sort((a, b) => place(a) - place(b) || a.at - b.at);
}

// Job code can forge any record of its own instance: each member is checked.
function readStep(
  key: string,
  fields: Fields,
  records: ReadonlyMap<string, string>,
): readonly StepInfo[] {
  if (/^(?:order|canceled)\//.test(key)) return [];
  const whole = {
    key,
    at: timeOf(fields.at) ?? 0,
    order: orderOf(key, fields, records),
    tries: 0,
    valueJson: null,
    error: null,
    dueAt: null,
    childId: null,
    by: null,
  };
  if (key.startsWith("signal/")) {
    const [, name = ""] = /^signal\/(.*)\/\d+$/.exec(key) ?? [];
    const by = typeof fields.by === "string" ? fields.by : null;
    const valueJson = jsonOf(fields.value);
    return [{ ...whole, type: "signal", name, state: "unused", valueJson, by, order: null }];
  }
  if (fields.type === undefined && /(?:^|\.)(?:call|all):/.test(key)) {
    if (/\/made$/.test(key)) return [];
    if (/\/open$/.test(key)) return [childrenOf(whole, fields, records)];
    const isOne = /(?:^|\.)call:/.test(key) || /\/\d+$/.test(key);
    return isOne ? [childOf(whole, fields)] : [];
  }
  const type = Object.entries(KINDS).find(([name]) => name === fields.type)?.[1];
  return type === undefined ? [] : [ownStep(whole, type, fields, records)];
}

const CHILD_STATES: Readonly<Record<string, StepInfo["state"]>> = {
  completed: "done",
  canceled: "canceled",
  timedOut: "timedOut",
};

/** The kind of the job in the key of a call. */
function kindIn(key: string): string {
  return decoded(/(?:^|\.)(?:call|all):([^:]*)/.exec(key)?.[1] ?? "");
}

/** Several children of one call, from their count. */
function childrenOf(
  whole: Whole,
  { open }: Fields,
  records: ReadonlyMap<string, string>,
): StepInfo {
  const key = whole.key.slice(0, -"/open".length);
  const counts: Record<string, number> = {};
  for (const [one, data] of records) {
    if (!one.startsWith(`${key}/`) || !/\/\d+$/.test(one)) continue;
    const state = CHILD_STATES[String(fieldsOf(data).state)] ?? "failed";
    counts[state] = (counts[state] ?? 0) + 1;
  }
  const end = records.get(key);
  const order = orderOf(key, {}, records);
  return {
    ...whole,
    key,
    type: "children",
    name: kindIn(key),
    state: records.has(`canceled/${key}`)
      ? "canceled"
      : end === undefined
      ? "waiting"
      : Object.keys(counts).every((state) => state === "done")
      ? "done"
      : "failed",
    at: timeOf(fieldsOf(end ?? "{}").at) ?? 0,
    order,
    valueJson: JSON.stringify({ open: countOf(open) ?? 0, ...counts }),
  };
}

type Whole = Omit<StepInfo, "type" | "name" | "state">;

function childOf(whole: Whole, { id, state, resultsJson, error }: Fields): StepInfo {
  return {
    ...whole,
    type: "child",
    name: kindIn(whole.key),
    state: CHILD_STATES[String(state)] ?? "failed",
    valueJson: typeof resultsJson === "string" ? resultsJson : null,
    error: errorOf(error),
    childId: textOf(id),
  };
}

function ownStep(
  whole: Whole,
  type: StepInfo["type"],
  fields: Fields,
  records: ReadonlyMap<string, string>,
): StepInfo {
  const { name, error, value, dueAt, signal, tries, isStuck } = fields;
  const isTimedOut = type === "wait" && signal === null;
  const taken = typeof signal === "string" ? records.get(signal) : undefined;
  const valueOf = type === "wait" && taken !== undefined ? fieldsOf(taken).value : value;
  return {
    ...whole,
    type,
    name: textOf(name),
    state: records.has(`canceled/${whole.key}`)
      ? "canceled"
      : whole.order === null && isStuck !== true
      ? "waiting"
      : error !== undefined
      ? "failed"
      : isTimedOut
      ? "timedOut"
      : "done",
    tries: countOf(tries) ?? 0,
    valueJson: jsonOf(valueOf),
    error: errorOf(error),
    dueAt: timeOf(dueAt),
  };
}

function orderOf(
  key: string,
  { order }: Fields,
  records: ReadonlyMap<string, string>,
): number | null {
  const apart = records.get(`order/${key}`);
  return countOf(order) ?? (apart === undefined ? null : countOf(fieldsOf(apart).order));
}

/** The members of a record; empty for one without. */
export function fieldsOf(text: string): Fields {
  const record = JSON.parse(text) as unknown;
  return typeof record === "object" && record !== null ? record as Fields : {};
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function errorOf(value: unknown): StepInfo["error"] {
  if (typeof value !== "object" || value === null) return null;
  const { name, message } = value as Fields;
  return { name: textOf(name), message: textOf(message) };
}

/** A whole number of at most 31 bits; null for anything else. */
function countOf(value: unknown): number | null {
  const isCount = Number.isInteger(value) && Math.abs(value as number) < 2 ** 31;
  return isCount ? value as number : null;
}

/** Epoch ms of a time that every message can carry; null for anything else. */
function timeOf(value: unknown): number | null {
  return typeof value === "number" && value >= 0 && value <= NEVER_DUE ? value : null;
}

/** A part of a key as job code gave it. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
