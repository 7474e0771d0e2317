import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { isFinal } from "../../src/core/state.ts";
import { isJobError } from "../../src/core/errors.ts";
import { UNDO_SIGNAL } from "../../src/core/wait.ts";
import { type Context, type FlowContext, Manager, type StoreOptions } from "../../src/index.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { withEtcd } from "../support/servers/etcd_server.ts";
import { withValkey } from "../support/servers/valkey_server.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { sleep } from "../support/wait.ts";

/**
 * Random programs of steps, waits, children and signals, with errors, cancels and restarts: every
 * instance ends, each promise has the value that it had first, and what was done is taken back
 * exactly if the instance did not complete: in every other program by undos.
 */

/** Programs of a test; more with FLOW_PROGRAMS=n. */
const PROGRAMS = Number(process.env.FLOW_PROGRAMS ?? 6);
const INSTANCES = 12;
const END_MS_MAX = 40_000;

type Random = () => number;

/** One line of a program. */
type Line =
  | { readonly type: "charge" | "step" | "sleep" | "wait" | "call" | "callAll" | "throw" }
  | { readonly type: "race" | "all"; readonly lines: readonly Line[] }
  | { readonly type: "each"; readonly count: number };

function drawLine(draw: Random, depth: number): Line {
  const types = ["charge", "charge", "step", "step", "sleep", "wait", "call", "callAll", "throw"];
  if (depth > 0) types.push("race", "all", "each");
  const type = types[Math.floor(draw() * types.length)]!;
  if (type === "each") return { type, count: 1 + Math.floor(draw() * 3) };
  if (type === "race" || type === "all") {
    // An error of one branch would leave the others, which is another program.
    const inner = ["sleep", "wait", "step"] as const;
    const count = 2 + Math.floor(draw() * 2);
    const lines = Array.from({ length: count }, () => ({
      type: inner[Math.floor(draw() * inner.length)]!,
    }));
    return { type, lines };
  }
  return { type } as Line;
}

/** What happened outside of the store. */
class World {
  readonly draw: Random;
  readonly hasUndos: boolean;
  readonly first = new Map<string, string>();
  readonly charged = new Map<string, Set<string>>();
  readonly refunded = new Map<string, Set<string>>();
  readonly taken = new Map<string, string>();
  /** The round that each instance began last. */
  readonly rounds = new Map<string, number>();
  readonly violations: string[] = [];

  constructor(draw: Random, hasUndos: boolean) {
    this.draw = draw;
    this.hasUndos = hasUndos;
  }

  /** A value that job code got: each time the same. */
  note(key: string, value: unknown): void {
    const text = JSON.stringify(value);
    const before = this.first.get(key);
    if (before === undefined) this.first.set(key, text);
    else if (before !== text) this.violations.push(`${key}: ${before}, then ${text}`);
  }

  /** A signal that a wait took: no other one takes it. */
  take(signal: string, place: string): void {
    const before = this.taken.get(signal) ?? place;
    this.taken.set(signal, before);
    if (before !== place) this.violations.push(`${signal}: taken at ${before} and ${place}`);
  }

  async line(ctx: FlowContext, line: Line, place: string, id: string): Promise<unknown> {
    const { draw } = this;
    const key = { key: place };
    switch (line.type) {
      case "charge":
        return await ctx.step("charge", () => {
          if (draw() < 0.15) throw new Error("no money");
          add(this.charged, id, place);
          return draw();
        }, {
          ...key,
          retry: { max: 2, initial: 1 },
          ...this.hasUndos ? { undo: () => this.refund(id, place) } : {},
        });
      case "step":
        return await ctx.step("step", async () => {
          await sleep(draw() * 4);
          if (draw() < 0.1) throw new Error("bad luck");
          return draw();
        }, { ...key, retry: { max: 8, initial: 1 } });
      case "sleep":
        return await ctx.sleep(`sleep ${place}`, Math.floor(draw() * 20));
      case "wait": {
        const isPatient = digitOf(place) % 2 === 0;
        const limit = isPatient ? {} : { timeout: 5 + Math.floor(draw() * 60) };
        const answer = await ctx.waitFor("go", { ...key, ...limit });
        if (answer.timedOut) return "timed out";
        this.take(`${id} ${String(answer.value)}`, place);
        return answer.value;
      }
      case "call":
        return await ctx.call("child", `${id} ${place}`);
      case "callAll":
        return await this.callAll(ctx, [0, 1, 2].map((n) => [`${id} ${place} ${n}`]), place);
      case "throw":
        if (draw() < 0.3) throw new TypeError("between steps");
        return null;
      case "race":
      case "all": {
        const all = line.lines.map((inner, index) =>
          this.line(ctx, inner, `${place}.${index}`, id)
        );
        return await (line.type === "race" ? Promise.race(all) : Promise.all(all));
      }
      case "each":
        return await ctx.each(
          `each ${place}`,
          Array.from({ length: line.count }, (_, n) => n),
          (own, n) => own.step("read", () => n + draw(), { retry: 3 }),
          { key: (n) => n, max: 2 },
        );
    }
  }

  async callAll(
    ctx: FlowContext,
    all: [string][],
    place: string,
  ): Promise<unknown> {
    const options = { onFailure: "collect", key: place } as const;
    const inFlight = digitOf(place) % 3 + 1;
    switch (digitOf(place) % 4) {
      case 0:
        return await ctx.callAll("child", all, options);
      case 1:
        return await ctx.callAll("child", all, { ...options, inFlight, results: false });
      case 2: {
        const values: unknown[] = [];
        for await (const one of ctx.callAll("child", all, { ...options, inFlight })) {
          values.push(one);
        }
        return values;
      }
      default: {
        const limits = { ...options, inFlight, failuresMax: 0 };
        return await ctx.callAll("child", all, limits).catch((error) => String(error));
      }
    }
  }

  refund(id: string, place: string): void {
    if (this.draw() < 0.2) throw new Error("not yet");
    add(this.refunded, id, place);
  }

  /** Places of charges of the last round: earlier ones are not taken back. */
  chargedLast(id: string): readonly string[] {
    const prefix = roundOf(this.rounds.get(id) ?? 0);
    return [...this.charged.get(id) ?? []].filter((place) => place.startsWith(prefix)).sort();
  }

  async run(ctx: Context, { lines, rounds }: Program, round: number): Promise<string> {
    const { id } = ctx.instance;
    this.rounds.set(id, round);
    try {
      for (const [index, line] of lines.entries()) {
        const place = `${roundOf(round)}${index}`;
        this.note(`${id} ${place}`, await this.line(ctx, line, place, id));
      }
    } catch (error) {
      if (this.hasUndos || (error as Error).name !== "StepError") throw error;
      this.note(`${id} error`, (error as Error).message);
      for (const place of this.chargedLast(id)) {
        await ctx.step("refund", () => this.refund(id, place), {
          key: place,
          retry: { max: 200, initial: 1, cap: 5 },
        });
      }
      throw error;
    }
    return round + 1 < rounds ? await ctx.continueAs(round + 1) : "done";
  }
}

/** Start of the places in a round. */
function roundOf(round: number): string {
  return `r${round}-`;
}

/** The first digit of a place within its round. */
function digitOf(place: string): number {
  return Number(place.split("-")[1]![0]);
}

function add(map: Map<string, Set<string>>, id: string, place: string): void {
  map.set(id, (map.get(id) ?? new Set()).add(place));
}

function openNode(program: Program, node: string): Manager {
  const { world, store } = program;
  const manager = new Manager({ store, workers: 6, node });
  manager.registerJob({
    kind: "child",
    params: "text: string",
    retry: { max: 5, initial: "1ms" },
    run: async (text: string) => {
      if (world.draw() < 0.5) await sleep(world.draw() * 5);
      if (world.draw() < 0.2) throw new Error(`child of ${text}`);
      return world.draw();
    },
  });
  manager.registerJob({
    kind: "flow",
    params: "ctx: Context, round?: number",
    retry: { max: 60, initial: "1ms", cap: "5ms" },
    crashesMax: 1_000,
    run: (ctx: Context, round = 0) => world.run(ctx, program, round),
  });
  return manager;
}

interface Program {
  readonly world: World;
  readonly store: string | StoreOptions;
  readonly lines: readonly Line[];
  readonly rounds: number;
}

/** Run a random program on nodes of one store; `restarts` of them are stopped without a drain. */
async function tryProgram(
  seed: number,
  store: string | StoreOptions,
  { nodes = 1, restarts = 0 }: { readonly nodes?: number; readonly restarts?: number } = {},
): Promise<void> {
  const world = new World(seededRandom(seed).next, seed % 2 === 0);
  const { draw } = world;
  const lines = Array.from({ length: 3 + Math.floor(draw() * 5) }, () => drawLine(draw, 1));
  const program = { world, store, lines, rounds: 1 + Math.floor(draw() * 3) };
  const managers = Array.from({ length: nodes }, (_, n) => openNode(program, `n${n}`));
  for (const manager of managers) await manager.start();
  const ids: string[] = [];
  for (let index = 0; index < INSTANCES; index++) {
    ids.push((await managers[0]!.scheduleJob("flow")).id);
  }
  const canceled = new Set<string>();
  const untilMs = Date.now() + END_MS_MAX;
  for (let turn = 0;; turn++) {
    const states = await Promise.all(ids.map((id) => managers[0]!.getInstance(id)));
    if (states.every(({ state }) => isFinal(state))) break;
    const open = states.filter(({ state }) => !isFinal(state));
    assert.ok(
      Date.now() < untilMs,
      `seed ${seed}: ${JSON.stringify(lines)}: ${JSON.stringify(open)}`,
    );
    const { id, waits } = open[Math.floor(draw() * open.length)]!;
    if (waits?.some(({ type }) => type === "undo")) {
      const decide = managers[0]!.signalInstance({ id }, UNDO_SIGNAL, { value: { retry: true } });
      // It may be canceled meanwhile.
      await decide.catch(() => {});
    }
    if (draw() < 0.5) {
      const sent = managers[0]!.signalInstance(id, "go", { value: draw() });
      // An instance that waits for its next try takes no more than the most.
      await sent.catch((error: unknown) => assert.ok(isJobError(error, "resource_exhausted")));
    }
    // A second cancel ends it at once.
    const mayCancel = world.hasUndos ? !canceled.has(id) : !world.first.has(`${id} error`);
    if (mayCancel && draw() < 0.1) {
      canceled.add(id);
      await managers[0]!.cancelInstances({ ids: [id] });
    }
    if (turn % 12 === 11 && turn < 12 * restarts) {
      const n = Math.floor(turn / 12) % nodes;
      await managers[n]!.stop({ drainMs: 0 });
      managers[n] = openNode(program, `n${n}`);
      await managers[n]!.start();
    }
    await sleep(5);
  }
  for (const id of ids) {
    const { state } = await managers[0]!.getInstance(id);
    const charged = world.chargedLast(id);
    const refunded = [...world.refunded.get(id) ?? []].sort();
    if (state === "completed") assert.deepEqual(refunded, [], `seed ${seed}: ${id}`);
    if (world.hasUndos) {
      const steps = await managers[0]!.listSteps(id);
      const done = steps.filter(({ name, state }) => name === "charge" && state === "done");
      const recorded = done.map(({ key }) => /\[(.*)\]/.exec(key)![1]!).sort();
      if (state !== "completed") assert.deepEqual(refunded, recorded, `seed ${seed}: ${id}`);
      continue;
    }
    // An error between steps ends it as it is, and a cancel ends a cleanup under way.
    const error = world.first.get(`${id} error`);
    const isTakenBack = state === "terminated"
      ? error !== undefined
      : error === JSON.stringify("The instance was canceled");
    if (state !== "completed" && isTakenBack) {
      assert.deepEqual(refunded, charged, `seed ${seed}: ${id} ${state}: ${JSON.stringify(lines)}`);
    }
  }
  assert.deepEqual(world.violations, [], `seed ${seed}: ${JSON.stringify(lines)}`);
  for (const manager of managers) await manager.stop();
}

test("random programs end, and get the values that they got first: in memory", async () => {
  for (let seed = 1; seed <= PROGRAMS; seed++) await tryProgram(seed, "memory:");
});

test("random programs end, and get the values that they got first: on SQLite, with restarts", async () => {
  await withTempDir({}, async ({ path }) => {
    for (let seed = 1_001; seed <= 1_000 + PROGRAMS; seed++) {
      await tryProgram(seed, `sqlite:${join(path, `${seed}.db`)}`, { restarts: 3 });
    }
  });
});

const SERVERS = {
  Valkey: async (body: (url: string) => Promise<void>) =>
    await withValkey({}, ({ port }) => body(`valkey://127.0.0.1:${port}`)),
  etcd: async (body: (url: string) => Promise<void>) => await withEtcd({}, ({ url }) => body(url)),
};

for (const [name, withServer] of Object.entries(SERVERS)) {
  test(`random programs end, and get the values that they got first: two nodes on ${name}`, async () => {
    await withServer(async (url) => {
      for (let seed = 2_001; seed <= 2_000 + Math.ceil(PROGRAMS / 4); seed++) {
        await tryProgram(seed, { url, prefix: `p${seed}` }, { nodes: 2, restarts: 3 });
      }
    });
  });
}
