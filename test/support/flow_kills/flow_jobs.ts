/** Kinds of the instances that are asked for; the others are their children. */
export const FLOW_KINDS = ["order", "order", "hurried", "saga", "chain", "family"] as const;

/** All kinds of the module. */
export const ALL_KINDS = ["order", "hurried", "saga", "chain", "family", "scale"] as const;

/** The signal that orders wait for. */
export const APPROVED = "approved";

/** The signal that nothing waits for. */
export const REMARK = "remark";

/** Name of the steps that have an undo: "charge" with any key. */
export const CHARGE = "charge";

/** Longest wait of a hasty order for its approval, in milliseconds. */
export const APPROVAL_MS = 1_500;

/** One line of the file of acts. */
export interface ActLine {
  /** "begin" and "act": a step's function; "undo"; "seen": job code has what a step returned. */
  readonly what: "begin" | "act" | "undo" | "seen";
  readonly id: string;
  /** Key of the step in the store. */
  readonly step: string;
  readonly fence: number;
  /** Epoch ms. */
  readonly at: number;
  /** The value of that act. */
  readonly value?: string;
  /** Of an act: everything that job code had seen before it, by name. */
  readonly saw?: Readonly<Record<string, unknown>>;
}

/**
 * Jobs in steps. Each act of a step appends a line to a file, with what job code saw before it, and
 * gives a value that no other act gives. An instance that completes answers all that it saw.
 */
export const FLOW_MODULE = `
import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import type { Context, StepCall } from "ts-job";

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

class Story {
  readonly saw: Record<string, unknown> = {};
  readonly #ctx: Context;
  readonly #file: string;

  constructor(ctx: Context, file: string) {
    this.#ctx = ctx;
    this.#file = file;
    this.saw.now = ctx.now().getTime();
    this.saw.random = ctx.random();
  }

  note(line: Record<string, unknown>): void {
    const { id } = this.#ctx.instance;
    const { fence } = this.#ctx;
    appendFileSync(this.#file, JSON.stringify({ id, fence, at: Date.now(), ...line }) + "\\n");
  }

  /** A step that fails by chance. */
  async act(
    name: string,
    { key, ms = 15, failing = 0.1, retry = 20 }: {
      key?: string;
      ms?: number;
      failing?: number;
      retry?: number;
    } = {},
  ): Promise<string> {
    const saw = { ...this.saw };
    const place = key === undefined ? name : name + "[" + key + "]";
    const run = async (call: StepCall) => {
      const step = this.#stepOf(call);
      this.note({ what: "begin", step });
      await pause(Math.random() * ms);
      if (Math.random() < failing) throw new Error("bad luck");
      const value = randomUUID();
      this.note({ what: "act", step, value, saw });
      await pause(Math.random() * ms);
      return value;
    };
    const undo = async (value: string, call: StepCall) => {
      await pause(Math.random() * ms);
      if (Math.random() < 0.2) throw new Error("not yet");
      this.note({ what: "undo", step: this.#stepOf(call), value });
      await pause(Math.random() * ms);
    };
    const value = await this.#ctx.step(name, run, {
      retry: { max: retry, initial: 30, cap: 100 },
      ...(key === undefined ? {} : { key }),
      ...(name === "charge" ? { undo } : {}),
    });
    this.saw[place] = value;
    this.note({ what: "seen", step: "step:" + place, value });
    return value;
  }

  #stepOf({ key }: StepCall): string {
    return key.slice(this.#ctx.instance.id.length + 1);
  }
}

async function order(ctx: Context, file: string, isPatient: boolean): Promise<unknown> {
  const story = new Story(ctx, file);
  await story.act("charge");
  const limit = isPatient ? {} : { timeout: ${APPROVAL_MS} };
  const answer = await ctx.waitFor("approved", limit);
  story.saw.approved = answer.timedOut ? "timed out" : answer.value;
  await story.act("charge", { key: "fee", retry: 2, failing: 0.3 });
  await ctx.sleep("packing", Math.floor(Math.random() * 300));
  try {
    const args = [0, 1, 2].map((n): [string, string, number] => [file, ctx.instance.id, n]);
    story.saw.kids = await ctx.callAll("scale", args);
  } catch (error) {
    if ((error as Error).name !== "StepError") throw error;
    await story.act("apologize");
    throw error;
  }
  await story.act("ship");
  return story.saw;
}

async function saga(ctx: Context, file: string): Promise<unknown> {
  const story = new Story(ctx, file);
  for (const key of ["flight", "hotel", "car"]) await story.act("charge", { key });
  await Promise.all(["a", "b", "c"].map((key) => story.act("charge", { key })));
  await ctx.sleep("thinking", 50);
  await story.act("confirm", { retry: 1, failing: 0.75 });
  return story.saw;
}

async function chain(ctx: Context, file: string, length: number): Promise<unknown> {
  const story = new Story(ctx, file);
  for (let n = 0; n < length; n++) {
    await story.act("link", { key: String(n), ms: 8 });
    if (n % 3 === 2) await ctx.sleep("rest " + n, 20);
  }
  return story.saw;
}

async function family(ctx: Context, file: string): Promise<unknown> {
  const story = new Story(ctx, file);
  await story.act("charge");
  story.saw.child = await ctx.call("chain", file, 4);
  const first = await ctx.first({
    approved: ctx.waitFor("approved"),
    late: ctx.sleep("late", 300 + Math.floor(Math.random() * 600)),
  });
  story.saw.first = first.name;
  await story.act("choose");
  story.saw.each = await ctx.each(
    "part",
    ["x", "y", "z", "w"],
    async (own, item) => {
      const read = await own.step("read", async () => {
        await pause(Math.random() * 20);
        if (Math.random() < 0.1) throw new Error("bad luck");
        return item + Math.random();
      }, { retry: { max: 20, initial: 30, cap: 100 } });
      await own.sleep("rest", 10);
      return read;
    },
    { key: (item) => item, max: 2 },
  );
  await story.act("end");
  return story.saw;
}

export default [
  { kind: "order", run: (ctx: Context, file: string, isPatient: boolean): Promise<unknown> => order(ctx, file, isPatient) },
  {
    kind: "hurried",
    deadline: "2s",
    run: (ctx: Context, file: string): Promise<unknown> => order(ctx, file, true),
  },
  { kind: "saga", run: (ctx: Context, file: string): Promise<unknown> => saga(ctx, file) },
  { kind: "chain", run: (ctx: Context, file: string, length: number): Promise<unknown> => chain(ctx, file, length) },
  { kind: "family", run: (ctx: Context, file: string): Promise<unknown> => family(ctx, file) },
  {
    kind: "scale",
    run: async (file: string, parent: string, n: number): Promise<string> => {
      await pause(Math.random() * 60);
      if (Math.random() < 0.08) throw new Error("cannot scale");
      return parent + " " + n + " " + Math.random();
    },
  },
];
`;
