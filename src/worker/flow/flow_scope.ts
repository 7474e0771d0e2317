import { createHash } from "node:crypto";
import { encodeJson } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import type {
  CallAllOptions,
  FlowContext,
  StepCall,
  StepOptions,
  StepRetry,
  WaitOptions,
} from "../../core/flow/flow_context.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import { STEPS_MAX } from "../../core/wait.ts";
import { quoteValue } from "../../core/text/quote_value.ts";
import { DURATION_MS_MAX, parseDuration } from "../../core/time/duration.ts";
import { systemRandom } from "../../platform/random.ts";
import type { Flow } from "./flow.ts";
import {
  SignalOperation,
  SignalsTaken,
  SleepOperation,
  StepOperation,
  type StepRun,
} from "./operations.ts";
import { CallAllOperation, CallOperation, ChildrenResults, digestOf } from "./child_operations.ts";
import { keyText, StepNames } from "./step_names.ts";
import { readFlowOptions } from "./flow_options.ts";
import type { StepRecord } from "./step_records.ts";
import type { Undo } from "./undo.ts";

/** Wait before the first retry of a step, in milliseconds, unless it sets one. */
const DELAY_MS = 1_000;
/** Longest wait between two tries of a step, unless it sets one. */
const CAP_MS = 3_600_000;
/** Items of `each` at once, unless it sets a number. */
const EACH_MAX = 500;
/** Most bytes of a new round's arguments: its record also has the names of taken signals. */
const ROUND_BYTES_MAX = 786_432;
/** Most retries of a step. */
const RETRY_MAX = 1_000;
const RUN_ON = ["cancel", "drain", "collect"];

/** The parts that all scopes of one run share. */
export interface FlowParts {
  readonly flow: Flow;
  readonly signals: SignalsTaken;
  /** The undos that job code gave in this run, by the keys of their steps. */
  readonly undos: Map<string, Undo>;
  /** Retries of a step that sets none. */
  readonly retryMax: number;
  /** @throws JobError `invalid_argument` for arguments that the function does not take */
  readonly check: (args: readonly unknown[]) => void;
}

/** The steps and waits of a run, or of one item of it, whose names are its own. */
export class FlowScope implements FlowContext {
  readonly #parts: FlowParts;
  readonly #prefix: string;
  readonly #names: StepNames;
  #times = 0;
  #random: (() => number) | null = null;

  constructor(parts: FlowParts, prefix = "") {
    this.#parts = parts;
    this.#prefix = prefix;
    this.#names = new StepNames(prefix);
  }

  readonly step = (
    name: string,
    run: unknown,
    options: StepOptions<never> = {},
  ) =>
    refusing(() => {
      const { flow, retryMax, undos } = this.#parts;
      flow.checkPlace(`begin step ${quoteValue(name)}`);
      if (typeof run !== "function") {
        throw invalid(
          "run",
          `step ${quoteValue(name)}: found ${quoteValue(run)}, wanted a function`,
        );
      }
      const { key, retry = {}, timeout, undo } = readFlowOptions("step", name, options);
      const limits = {
        ...readRetry(retry, retryMax),
        timeoutMs: timeout === undefined ? Infinity : readMs(timeout, "timeout"),
      };
      const open = this.#names.begin("step", name, key);
      if (undo !== undefined) undos.set(open.key, { ...limits, run: undo as Undo["run"] });
      return new StepOperation(flow, this.#names, open, {
        ...limits,
        run: run as (call: StepCall) => unknown,
        hasUndo: undo !== undefined,
      }).begin();
    }) as Promise<never>;

  readonly sleep = (name: string, time: number | string | Date) =>
    refusing(() => {
      const { flow } = this.#parts;
      flow.checkPlace(`wait for ${quoteValue(name)}`);
      const nowMs = flow.host.clock.now().wallMs;
      const until = time instanceof Date ? time.getTime() : nowMs + readMs(time, "time");
      if (!(Math.abs(until) <= 8.64e15)) throw invalid("time", `${quoteValue(time)}: not a time`);
      const open = this.#names.begin("sleep", name, undefined);
      return new SleepOperation(flow, this.#names, open, Math.ceil(until)).begin();
    });

  readonly waitFor = (name: string, options: WaitOptions = {}) =>
    refusing(() => {
      const { flow, signals } = this.#parts;
      const { key, timeout } = readFlowOptions("waitFor", name, options);
      flow.checkPlace(`wait for ${quoteValue(name)}`);
      const nowMs = flow.host.clock.now().wallMs;
      const until = timeout === undefined ? null : Math.ceil(nowMs + readMs(timeout, "timeout"));
      const open = this.#names.begin("wait", name, key);
      return new SignalOperation(flow, this.#names, open, { until, signals }).begin();
    }) as Promise<never>;

  readonly call = (kind: string, ...given: readonly unknown[]) =>
    refusing(() => {
      const { flow } = this.#parts;
      const { id, args } = this.#childOf(kind, given, "call");
      const open = this.#names.beginAs(id, kind);
      return new CallOperation(flow, this.#names, open, { kind, args }).begin();
    }) as Promise<never>;

  readonly callAll = ((
    kind: string,
    given: readonly (readonly unknown[])[],
    options: CallAllOptions = {},
  ) => {
    let operation: CallAllOperation | null = null;
    const ended = refusing(() => {
      operation = this.#callAll(kind, given, options);
      return operation.begin();
    });
    return options.results === false ? ended : new ChildrenResults(ended, operation);
  }) as FlowContext["callAll"];

  #callAll(kind: string, given: unknown, options: CallAllOptions): CallAllOperation {
    const { flow } = this.#parts;
    const read = readFlowOptions("callAll", kind, options);
    const { key, onFailure = "cancel", inFlight, failuresMax, results = true } = read;
    if (!Array.isArray(given) || !given.every((one) => Array.isArray(one))) {
      throw invalid(
        "args",
        `the arguments of ctx.callAll "${kind}": each child needs a list, such as [[1], [2]]`,
      );
    }
    if (!RUN_ON.includes(onFailure)) {
      throw invalid("onFailure", `${quoteValue(onFailure)}: wanted ${RUN_ON.join(", ")}`);
    }
    if (failuresMax !== undefined && onFailure !== "collect") {
      throw invalid("failuresMax", `failuresMax of ctx.callAll "${kind}" without "collect"`);
    }
    const { id, args } = this.#childOf(kind, given, "all");
    const name = key === undefined ? id : `${id}[${keyText(key)}]`;
    return new CallAllOperation(flow, this.#names, this.#names.beginAs(name, kind), {
      kind,
      args: args as readonly (readonly unknown[])[],
      onFailure,
      inFlight,
      failuresMax,
      results,
    });
  }

  readonly each = async <Item, Value>(
    name: string,
    items: readonly Item[],
    run: (ctx: FlowContext, item: Item) => Promise<Value>,
    options: { readonly key: (item: Item) => string | number; readonly max?: number },
  ): Promise<readonly Value[]> => {
    const { key, max = EACH_MAX } = readFlowOptions("each", name, options);
    this.#parts.flow.checkPlace(`begin ${quoteValue(name)}`);
    const list = [...items];
    if (list.length > STEPS_MAX) {
      throw new JobError(
        "resource_exhausted",
        `Cannot run ${quoteValue(name)} for ${list.length} items: at most ${STEPS_MAX} are allowed`,
        { path: "items", hint: "Call children in several parts: ctx.callAll" },
      );
    }
    const keys = list.map((item) => keyText(key(item)));
    const repeated = keys.find((one, index) => keys.indexOf(one) !== index);
    if (repeated !== undefined) {
      const text = quoteValue(decodeURIComponent(repeated));
      throw invalid("key", `two items of ctx.each ${quoteValue(name)} with the same key ${text}`);
    }
    if (!(max >= 1)) throw invalid("max", `${quoteValue(max)} at once: wanted 1 or more`);
    const id = encodeURIComponent(name);
    const open = this.#names.beginAs(`each:${id}`, name);
    // A later time gives other names than the first one.
    const again = open.key.slice(`${this.#prefix}each:${id}`.length);
    const results: Value[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < list.length) {
        const index = next++;
        const prefix = `${this.#prefix}${id}${again}[${keys[index]}].`;
        results[index] = await run(new FlowScope(this.#parts, prefix), list[index]!);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(max, list.length) }, work));
      return results;
    } finally {
      this.#names.end(open);
    }
  };

  readonly first = (async (waits: Readonly<Record<string, Promise<unknown>>>) => {
    if (Object.keys(waits).length === 0) throw invalid("waits", "no waits: wanted one or more");
    const named = Object.entries(waits).map(async ([name, wait]) => ({ name, value: await wait }));
    return await Promise.race(named);
  }) as FlowContext["first"];

  readonly continueAs = (...given: readonly unknown[]) =>
    refusing(() => {
      const { flow, signals, check } = this.#parts;
      flow.checkPlace("continue with other arguments");
      const args = argumentsOf(given, "the arguments of ctx.continueAs", ROUND_BYTES_MAX);
      check(args);
      return flow.continueAs(args, signals);
    });

  readonly now = (): Date => {
    const { flow } = this.#parts;
    // A step that has ended does not ask again.
    if (flow.inside.getStore() !== undefined) return new Date(flow.host.clock.now().wallMs);
    const key = `${this.#prefix}now#${++this.#times}`;
    const stored = flow.record<StepRecord>(key);
    if (stored !== undefined) return new Date(stored.value as number);
    const value = flow.host.clock.now().wallMs;
    flow.keep({ key, data: { type: "now", name: "now", at: value, value }, isNew: true });
    return new Date(value);
  };

  readonly random = (): number => {
    if (this.#parts.flow.inside.getStore() !== undefined) return systemRandom.next();
    this.#random ??= randomOf(`${this.#parts.flow.host.instance.id}:${this.#prefix}`);
    return this.#random();
  };

  /** The key and the arguments of children. */
  #childOf(kind: unknown, given: readonly unknown[], type: "call" | "all") {
    if (typeof kind !== "string" || kind === "") {
      throw invalid("kind", `${quoteValue(kind)}: wanted the kind of a job`);
    }
    this.#parts.flow.checkPlace(`call "${kind}"`);
    const args = argumentsOf(given, `the arguments of "${kind}"`);
    return { id: `${type}:${encodeURIComponent(kind).slice(0, 100)}:${digestOf(args)}`, args };
  }
}

/** Arguments as JSON stores them. */
function argumentsOf(
  given: readonly unknown[],
  what: string,
  bytesMax = PAYLOAD_BYTES_MAX,
): readonly unknown[] {
  const text = encodeJson(given, { bytesMax, what, isExact: true });
  return JSON.parse(text) as readonly unknown[];
}

/** Turn an error that is thrown at once into a rejection: callers await all of these. */
async function refusing<T>(begin: () => Promise<T>): Promise<T> {
  return await begin();
}

function readRetry(
  given: number | StepRetry,
  retryMax: number,
): Pick<StepRun, "retryMax" | "delayMs" | "capMs"> {
  const { max = retryMax, initial = DELAY_MS, cap = CAP_MS } = typeof given === "number"
    ? { max: given }
    : given;
  if (!Number.isInteger(max) || max < -1 || max > RETRY_MAX) {
    throw invalid("retry", `${quoteValue(max)} retries: wanted -1 to ${RETRY_MAX}`);
  }
  return { retryMax: max, delayMs: readMs(initial, "initial"), capMs: readMs(cap, "cap") };
}

function readMs(given: unknown, path: string): number {
  const ms = typeof given === "string" ? parseDuration(given) : given;
  if (typeof ms === "number" && ms >= 0 && ms <= DURATION_MS_MAX) return ms;
  throw invalid(path, `${quoteValue(given)}: wanted milliseconds or a duration such as "90s"`);
}

function invalid(path: string, problem: string): JobError {
  return new JobError("invalid_argument", `Cannot use ${problem}`, { path });
}

/** Numbers from 0 to below 1 that a text determines: a counter, hashed. */
function randomOf(seed: string): () => number {
  let count = 0;
  return () => {
    const hash = createHash("sha256").update(`${seed}:${count++}`).digest();
    return hash.readUIntBE(0, 6) / 2 ** 48;
  };
}
