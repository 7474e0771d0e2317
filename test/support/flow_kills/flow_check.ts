import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type JobInstance, JobState, type Step } from "../../../src/rpc/gen/job_pb.ts";
import { linesOf } from "../wait.ts";
import { type ActLine, ALL_KINDS, APPROVED, CHARGE } from "./flow_jobs.ts";
import type { FlowRun, SentSignal } from "./flow_run.ts";

const VIOLATIONS_SHOWN = 20;
const FINAL = [JobState.COMPLETED, JobState.TERMINATED, JobState.CANCELLED, JobState.TIMED_OUT];

/** What a run showed. */
export interface FlowReport {
  /** What did not hold, each with its evidence. */
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

/** Check what killed daemons made of instances in steps. */
export async function checkFlows(run: FlowRun): Promise<FlowReport> {
  const instances = await readInstances(run);
  const lines = linesOf(run.acts).map((line) => JSON.parse(line) as ActLine);
  const acts = Map.groupBy(lines, ({ id }) => id);
  const signals = Map.groupBy(run.signals, ({ uuid }) => uuid);
  const children = Map.groupBy(instances, ({ parentId }) => parentId ?? "");
  const checked: CheckedFlow[] = [];
  for (const instance of instances) {
    const { uuid } = instance;
    const { steps } = await run.daemon.client().listSteps({ uuid });
    checked.push(
      new CheckedFlow(instance, steps, {
        acts: acts.get(uuid) ?? [],
        signals: signals.get(uuid) ?? [],
        children: children.get(uuid) ?? [],
        isCanceled: run.canceled.has(uuid),
      }),
    );
  }
  const found = new Set(instances.map(({ uuid }) => uuid));
  const lost = [...run.accepted].filter(([uuid]) => !found.has(uuid));
  const bad = checked.filter(({ problems }) => problems.length > 0);
  const verified = await run.daemon.jobctl(["store", "verify"]);
  const more = bad.length - VIOLATIONS_SHOWN;
  return {
    violations: [
      ...lost.map(([uuid, kind]) => `${kind} ${uuid} was accepted and is lost`),
      ...bad.slice(0, VIOLATIONS_SHOWN).map((each) => each.evidence()),
      ...more > 0 ? [`and ${more} more instances`] : [],
      ...run.unexpected.map((line) => `a daemon ended by itself: ${line}`),
      ...verified.code === 0 ? [] : [`store verify: ${verified.stdout}${verified.stderr}`],
    ],
    figures: figuresOf(run, checked, lines),
  };
}

function figuresOf(
  run: FlowRun,
  checked: readonly CheckedFlow[],
  lines: readonly ActLine[],
): FlowReport["figures"] {
  const count = (is: (each: CheckedFlow) => boolean) => checked.filter(is).length;
  const sum = (of: (each: CheckedFlow) => number) => checked.reduce((all, one) => all + of(one), 0);
  const statuses = Map.groupBy(run.signals, ({ status }) => status);
  return {
    accepted: run.accepted.size,
    children: count(({ instance }) => instance.parentId !== undefined),
    ...Object.fromEntries(FINAL.map((state) => [
      JobState[state]!.toLowerCase(),
      count(({ instance }) => instance.state === state),
    ])),
    steps_recorded: sum(({ recorded }) => recorded.length),
    acts: lines.filter(({ what }) => what === "act").length,
    acts_again: sum(({ again }) => again),
    charges_taken_back: sum(({ undone }) => undone.size),
    attempts: sum(({ instance }) => instance.attempts ?? 0),
    crashes: sum(({ instance }) => instance.crashes),
    signals: run.signals.length,
    ...Object.fromEntries([...statuses].map(([status, of]) => [`signals_${status}`, of.length])),
    cancels: run.canceled.size,
    ...Object.fromEntries([...run.faults].map(([fault, times]) => [
      fault.replaceAll(" ", "_"),
      times,
    ])),
    seconds: Math.round(run.spentMs / 1_000),
  };
}

/** One instance against what must hold for it. */
class CheckedFlow {
  readonly problems: string[] = [];
  readonly instance: JobInstance;
  /** Finished steps with a function, undos left out, by key. */
  readonly recorded: readonly Step[];
  /** Keys of the steps that were taken back. */
  readonly undone: ReadonlySet<string>;
  /** Acts beyond one for each step. */
  readonly again: number;
  readonly #steps: readonly Step[];
  readonly #acts: readonly ActLine[];
  readonly #signals: readonly SentSignal[];
  readonly #children: readonly JobInstance[];
  readonly #isCanceled: boolean;

  constructor(instance: JobInstance, steps: readonly Step[], what: {
    readonly acts: readonly ActLine[];
    readonly signals: readonly SentSignal[];
    readonly children: readonly JobInstance[];
    readonly isCanceled: boolean;
  }) {
    this.instance = instance;
    this.#steps = steps;
    this.#acts = what.acts;
    this.#signals = what.signals;
    this.#children = what.children;
    this.#isCanceled = what.isCanceled;
    this.recorded = steps.filter(({ type, state, key }) =>
      type === "step" && state === "done" && !key.endsWith("!undo")
    );
    this.undone = new Set(this.#of("undo").map(({ step }) => step.slice(0, -"!undo".length)));
    const acts = this.#of("act");
    this.again = acts.length - new Set(acts.map(({ step }) => step)).size;
    this.#check();
  }

  #check(): void {
    const { state, error } = this.instance;
    if (!FINAL.includes(state)) return this.#report(`it is ${JobState[state]}, and does not end`);
    if (state === JobState.CANCELLED && !this.#isCanceled && !this.instance.parentId) {
      this.#report("it is canceled, and nobody canceled it");
    }
    if (state === JobState.TERMINATED && this.instance.reason === "lost") {
      this.#report(`it was lost: ${error}`);
    }
    this.#checkRuns();
    this.#checkSteps();
    this.#checkSignals();
    this.#checkChildren();
    this.#checkUndos();
    if (state === JobState.COMPLETED) this.#checkResult();
  }

  #report(problem: string): void {
    this.problems.push(problem);
  }

  #of(what: ActLine["what"]): readonly ActLine[] {
    return this.#acts.filter((line) => line.what === what);
  }

  /** No attempt acts beside a later one, none repeats what was recorded, and all see the same. */
  #checkRuns(): void {
    let highest = 0;
    const seen = new Map<string, unknown>();
    for (const { what, step, fence, value, saw = {} } of this.#acts) {
      if (fence < highest) {
        this.#report(`"${what}" of ${step} under fence ${fence} after ${highest}`);
      }
      highest = Math.max(highest, fence);
      const values = Object.entries(saw);
      if (what === "seen") values.push([step.slice("step:".length), value]);
      for (const [name, one] of values) {
        const [before, now] = [seen.get(name), JSON.stringify(one)];
        if (before === undefined) seen.set(name, now);
        else if (before !== now) this.#report(`${name} was ${before}, then ${now}`);
      }
      const isRepeated = what === "begin" && seen.has(step.slice("step:".length));
      if (isRepeated) this.#report(`${step} ran again under fence ${fence} after its record`);
    }
    this.#saw = seen;
  }

  #saw: ReadonlyMap<string, unknown> = new Map();

  /** Each record has an act that gave its value, and each value that was seen has a record. */
  #checkSteps(): void {
    const keys = this.#steps.map(({ key }) => key);
    const repeated = keys.find((key, index) => keys.indexOf(key) !== index);
    if (repeated !== undefined) this.#report(`${repeated} has two records`);
    const acts = this.#of("act");
    for (const { key, valueJson } of this.recorded) {
      // The steps of ctx.each() note nothing.
      if (key.endsWith(".step:read")) continue;
      const isActed = acts.some(({ step, value }) =>
        step === key && JSON.stringify(value) === valueJson
      );
      if (!isActed) this.#report(`${key} has the record ${valueJson}, which no act gave`);
    }
    for (const { step, value } of this.#of("seen")) {
      const record = this.recorded.find(({ key }) => key === step);
      if (record?.valueJson !== JSON.stringify(value)) {
        this.#report(`${step} returned ${value}, and its record is ${record?.valueJson}`);
      }
    }
  }

  /** What was acknowledged is stored once, and what came in time was taken. */
  #checkSignals(): void {
    const stored = this.#steps.filter(({ type }) => type === "signal");
    for (const { name, value, status } of this.#signals) {
      const times = stored.filter(({ valueJson }) => valueJson === JSON.stringify(value)).length;
      const isKept = status !== null && status !== "ended";
      if (times > 1 || (isKept && times === 0)) {
        this.#report(`signal ${name} ${value} (${status}) is stored ${times} times`);
      }
    }
    const [first] = stored.filter(({ name }) => name === APPROVED)
      .sort((a, b) => numberOf(a.key) - numberOf(b.key));
    const wait = this.#steps.find(({ key }) => key === `wait:${APPROVED}`);
    if (wait?.state === "done" && wait.valueJson !== first?.valueJson) {
      this.#report(`the wait took ${wait.valueJson}, and the first signal is ${first?.valueJson}`);
    }
    const late = this.#steps.find(({ key, state }) => key === "sleep:late" && state === "done");
    const lost = wait?.state === "timedOut" ? wait : wait?.state === "waiting" ? late : undefined;
    if (lost?.dueAt === undefined) return;
    const dueAt = Number(timestampMs(lost.dueAt));
    for (const { name, value, status, answeredAt } of this.#signals) {
      if (name !== APPROVED || status === "ended" || answeredAt >= dueAt) continue;
      this.#report(
        `signal ${value} came ${dueAt - answeredAt} ms before the end of a wait, in vain`,
      );
    }
  }

  /** Each child was accepted once, and its parent has its result. */
  #checkChildren(): void {
    const args = this.#children.map(({ kind, arguments: all }) => `${kind} ${all.join()}`);
    if (new Set(args).size !== args.length) this.#report(`children were accepted twice: ${args}`);
    for (const { type, key, state, valueJson, childId } of this.#steps) {
      if (type !== "child") continue;
      const child = this.#children.find(({ uuid }) => uuid === childId);
      const isDone = child?.state === JobState.COMPLETED;
      const [result] = JSON.parse(valueJson ?? "[]") as readonly unknown[];
      const isSame = !isDone || JSON.stringify(result) === JSON.stringify(resultOf(child));
      if (isDone === (state === "done") && isSame) continue;
      this.#report(`child ${childId} of ${key} is ${child?.state}, and recorded as ${state}`);
    }
    if (this.instance.state !== JobState.COMPLETED) return;
    const expected = { order: 3, hurried: 3, family: 1 }[this.instance.kind] ?? 0;
    if (args.length !== expected) this.#report(`it has ${args.length} children`);
  }

  /** The charges that have a record are taken back, and no others, unless it completed. */
  #checkUndos(): void {
    const charges = this.recorded.filter(({ name }) => name === CHARGE).map(({ key }) => key);
    const due = this.instance.state === JobState.COMPLETED ? [] : charges;
    const [left, wrong] = [
      due.filter((key) => !this.undone.has(key)),
      [...this.undone].filter((key) => !due.includes(key)),
    ];
    if (left.length > 0) this.#report(`it has not taken back ${left.join()}`);
    if (wrong.length > 0) this.#report(`it has taken back ${wrong.join()} without a reason`);
    for (const { step, value } of this.#of("undo")) {
      const charge = this.recorded.find(({ key }) => `${key}!undo` === step);
      if (charge?.valueJson !== JSON.stringify(value)) {
        this.#report(`${step} has taken back ${value}, and the record is ${charge?.valueJson}`);
      }
      const state = this.#steps.find(({ key }) => key === step)?.state;
      if (state !== "done") this.#report(`${step} acted, and its record is ${state}`);
    }
  }

  /** The result has what job code saw first, and every step of it. */
  #checkResult(): void {
    if (this.instance.kind === "scale") return;
    const result = resultOf(this.instance) as Readonly<Record<string, unknown>>;
    for (const [name, value] of this.#saw) {
      const found = JSON.stringify(result[name]);
      if (found !== value) this.#report(`the result has ${found} for ${name}, first ${value}`);
    }
    for (const { key, valueJson } of this.recorded) {
      if (key.endsWith(".step:read")) continue;
      const found = JSON.stringify(result[key.slice("step:".length)]);
      if (found !== valueJson) this.#report(`the result has ${found} for ${key}, not ${valueJson}`);
    }
    const wait = this.#steps.find(({ key }) => key === `wait:${APPROVED}`);
    if (!("approved" in result)) return;
    const approved = wait?.state === "timedOut" ? '"timed out"' : wait?.valueJson;
    const found = JSON.stringify(result.approved);
    if (found !== approved) this.#report(`the result is approved by ${found}, not ${approved}`);
  }

  /** Its problems, its records and its acts. */
  evidence(): string {
    const { kind, uuid, state, reason, attempts, crashes, error } = this.instance;
    const steps = this.#steps.map(({ key, state, order, tries, valueJson, dueAt }) => {
      const due = dueAt === undefined ? "" : ` due ${timestampMs(dueAt)}`;
      return `    ${order ?? "-"} ${key} ${state} tries ${tries} ${valueJson ?? ""}${due}`;
    });
    const acts = this.#acts.map(({ what, step, fence, at, value, saw }) =>
      `    ${at} fence ${fence} ${what} ${step} ${value ?? ""} ${
        saw === undefined ? "" : JSON.stringify(saw)
      }`
    );
    const signals = this.#signals.map(({ name, value, status, answeredAt }) =>
      `    ${answeredAt} ${name} ${value} ${status}`
    );
    return [
      `${kind} ${uuid}: ${this.problems.join("; ")}`,
      `  ${JobState[state]} ${reason} after ${attempts} attempts, ${crashes} crashes: ${error}`,
      ...["  records", ...steps, "  acts", ...acts, "  signals", ...signals],
    ].join("\n");
  }
}

/** The number of a signal among those of its name, of a key such as `signal/approved/2`. */
function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf("/") + 1));
}

/** The value that an instance returned. */
function resultOf({ kind, results: [text = "{}"] }: JobInstance): unknown {
  return kind === "scale" ? text : JSON.parse(text);
}

async function readInstances({ daemon }: FlowRun): Promise<readonly JobInstance[]> {
  const all: JobInstance[] = [];
  let pageToken: string | undefined;
  do {
    const query = { kinds: [...ALL_KINDS], pageSize: 500, pageToken };
    const page = await daemon.client().lookupInstances({ query });
    for (const { uuid } of page.instances) {
      // A list leaves out long results.
      const { instance } = await daemon.client().getInstance({ uuid, exact: true });
      all.push(instance!);
    }
    pageToken = page.nextPageToken || undefined;
  } while (pageToken !== undefined);
  return all;
}
