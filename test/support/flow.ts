import assert from "node:assert/strict";
import { isFinal } from "../../src/core/state.ts";
import { type Context, Manager } from "../../src/index.ts";
import { until } from "./wait.ts";

export type Run = (ctx: Context, ...args: never[]) => unknown;

/** Run a function as a job, with another one as its child. */
export async function withFlow(
  run: Run,
  body: (flow: Flow) => Promise<void>,
  options: { readonly retry?: number; readonly child?: (x: number) => unknown } = {},
): Promise<void> {
  const manager = new Manager();
  const { retry = 0, child = (x: number) => x * 2 } = options;
  manager.registerJob({ kind: "double", params: "x: number", run: child });
  manager.registerJob({
    kind: "flow",
    params: "ctx: Context",
    retry: { max: retry, initial: "10ms" },
    run: run as (ctx: Context) => unknown,
  });
  await manager.start();
  try {
    const { id } = await manager.scheduleJob("flow");
    await body(new Flow(manager, id));
  } finally {
    await manager.stop();
  }
}

/** An instance of the function. */
export class Flow {
  readonly manager: Manager;
  readonly id: string;

  constructor(manager: Manager, id: string) {
    this.manager = manager;
    this.id = id;
  }

  /** The final instance. */
  async end() {
    const final = await this.manager.wait(this.id, "20s");
    assert.ok(isFinal(final.state));
    return final;
  }

  async result(): Promise<unknown> {
    const { state, error, results } = await this.end();
    assert.equal(state, "completed", error?.message ?? "");
    return results[0];
  }

  /** Resolves when it is parked on a signal of this name. */
  async parkedOn(name: string): Promise<void> {
    await until(`it waits for ${name}`, async () => {
      const { waits } = await this.manager.getInstance(this.id);
      return waits?.some((wait) => wait.name === name) ?? false;
    });
  }
}
