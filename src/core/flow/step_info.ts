/** One step, wait, child or signal of an instance, as people see it. */
export interface StepInfo {
  /** Identifies it within its instance. */
  readonly key: string;
  readonly type: "step" | "time" | "wait" | "child" | "children" | "signal";
  /** As job code named it; the kind of a child. */
  readonly name: string;
  /** "waiting" includes a step between two tries. */
  readonly state: "done" | "failed" | "timedOut" | "canceled" | "waiting";
  /** When it was recorded last, epoch ms. */
  readonly at: number;
  /** Place among the outcomes of the instance, from 1; null without an outcome. */
  readonly order: number | null;
  /** Tries so far; 0 where there are none. */
  readonly tries: number;
  /** JSON text of what it returned; null for nothing. */
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
  for (const [key, data] of records) {
    const step = readStep(key, JSON.parse(data) as unknown, records);
    if (step !== null) steps.push(step);
  }
  const place = ({ order }: StepInfo) => order ?? Infinity;
  return steps.sort((a, b) => place(a) - place(b) || a.at - b.at);
}

function readStep(
  key: string,
  record: unknown,
  records: ReadonlyMap<string, string>,
): StepInfo | null {
  if (typeof record !== "object" || record === null) return null;
  const fields = record as Fields;
  const whole = {
    key,
    at: numberOr(fields.at, 0),
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
    return { ...whole, type: "signal", name, state: "done", valueJson, by, order: null };
  }
  if (key.startsWith("call:") || /^all:.*\/\d+$/.test(key)) return childOf(whole, fields);
  if (key.startsWith("all:")) return null;
  const type = KINDS[String(fields.type)];
  return type === undefined ? null : ownStep(whole, type, fields, records);
}

type Whole = Omit<StepInfo, "type" | "name" | "state">;

function childOf(whole: Whole, { id, state, resultsJson, error }: Fields): StepInfo {
  const [, kind = ""] = whole.key.split(":");
  return {
    ...whole,
    type: "child",
    name: decodeURIComponent(kind),
    state: state === "completed" ? "done" : "failed",
    valueJson: typeof resultsJson === "string" ? resultsJson : null,
    error: error as StepInfo["error"] ?? null,
    childId: String(id),
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
  const valueOf = type === "wait" && taken !== undefined
    ? (JSON.parse(taken) as Fields).value
    : value;
  return {
    ...whole,
    type,
    name: String(name),
    state: records.has(`canceled/${whole.key}`)
      ? "canceled"
      : whole.order === null && isStuck !== true
      ? "waiting"
      : error !== undefined
      ? "failed"
      : isTimedOut
      ? "timedOut"
      : "done",
    tries: numberOr(tries, 0),
    valueJson: jsonOf(valueOf),
    error: error as StepInfo["error"] ?? null,
    dueAt: typeof dueAt === "number" ? dueAt : null,
  };
}

function orderOf(
  key: string,
  { order }: Fields,
  records: ReadonlyMap<string, string>,
): number | null {
  if (typeof order === "number") return order;
  const apart = records.get(`order/${key}`);
  return apart === undefined ? null : numberOr((JSON.parse(apart) as Fields).order, 0);
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function numberOr(value: unknown, other: number): number {
  return typeof value === "number" ? value : other;
}
