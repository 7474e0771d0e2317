/** Kinds of the instances that are asked for, with their share. */
export const KINDS = [
  ["noop", 0.6],
  ["sleeping", 0.25],
  ["failing", 0.12],
  ["long", 0.03],
] as const;

/** Kinds that run every second. */
export const TICK_KINDS = ["tick-a", "tick-b"] as const;

/** Attempts of "failing" that fail. */
export const FAILURES = 2;

/**
 * The jobs of the cluster test. Each appends a line at its start and one at its end to a file, `S
 * UUID FENCE` and `E UUID FENCE`, and answers its fence, so that it shows which attempt's outcome
 * was recorded.
 */
export const CLUSTER_MODULE = `
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";

function note(what: string, ctx: Context, file: string): void {
  appendFileSync(file, what + " " + ctx.instance.id + " " + ctx.fence + "\\n");
}

async function during(ctx: Context, file: string, ms: number): Promise<number> {
  note("S", ctx, file);
  if (ms > 0) await new Promise((done) => setTimeout(done, ms));
  note("E", ctx, file);
  return ctx.fence;
}

export default [
  { kind: "noop", run: (ctx: Context, file: string): Promise<number> => during(ctx, file, 0) },
  {
    kind: "sleeping",
    run: (ctx: Context, file: string): Promise<number> => during(ctx, file, 20 + Math.random() * 280),
  },
  {
    kind: "failing",
    retry: { max: 5, initial: "100ms", cap: "1s" },
    run: async (ctx: Context, file: string): Promise<number> => {
      const fence = await during(ctx, file, 0);
      const { attempt } = ctx.instance;
      if (attempt <= ${FAILURES}) throw new Error("as asked: attempt " + attempt);
      return fence;
    },
  },
  {
    kind: "long",
    run: (ctx: Context, file: string): Promise<number> => during(ctx, file, 1_000 + Math.random() * 2_000),
  },
  {
    kind: "tick-a",
    schedule: "* * * * * *",
    overlap: "allow",
    misfire: "all",
    args: [process.env.CLUSTER_EFFECTS],
    run: (ctx: Context, file: string): Promise<number> => during(ctx, file, 0),
  },
  {
    kind: "tick-b",
    schedule: "* * * * * *",
    overlap: "allow",
    misfire: "all",
    args: [process.env.CLUSTER_EFFECTS],
    run: (ctx: Context, file: string): Promise<number> => during(ctx, file, 0),
  },
];
`;
