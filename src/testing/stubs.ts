import type { FlowContext, StepCall, StepOptions } from "../core/flow/flow_context.ts";
import type { Context } from "../core/job/job.ts";

/** Stands for the function of a step. Of an undo, it gets what the step returned first. */
export type StepStub = (...args: any[]) => unknown;

type Run = (call: StepCall) => unknown;

/** A stub for a step that must not run: the test fails if it does. */
export const never: StepStub = () => {
  throw new Error("The test does not expect it to run");
};

/** A stub for a step whose function does not end, as for a test of its timeout. */
export const hangs: StepStub = (...args) => {
  const { signal } = args.at(-1) as StepCall;
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
};

/** Puts stubs in the place of steps, and counts what runs. */
export class StepStubs {
  readonly #stubs: ReadonlyMap<string, StepStub>;
  /** Calls of the functions of steps, by name. */
  readonly runs = new Map<string, number>();
  /** Names of steps that ran in spite of {@link never}. */
  readonly unexpected = new Set<string>();
  /** Names of steps that run, once for each call; with {@link hangs} apart. */
  readonly #running: string[] = [];
  readonly #hanging: string[] = [];

  constructor(stubs: Readonly<Record<string, StepStub>>) {
    this.#stubs = new Map(Object.entries(stubs));
  }

  /** Names of stubs that did not run, except {@link never}. */
  get unreached(): readonly string[] {
    return [...this.#stubs].filter(([name, stub]) => stub !== never && !this.runs.has(name))
      .map(([name]) => name);
  }

  /** Names of steps that run, except {@link hangs}. */
  get running(): readonly string[] {
    return this.#running;
  }

  /** True if what runs is not to end. */
  get isHanging(): boolean {
    return this.#hanging.length > 0 && this.#running.length === 0;
  }

  /** A context whose steps run stubs. */
  within<Ctx extends FlowContext | Context>(ctx: Ctx): Ctx {
    const own: Pick<FlowContext, "step" | "each"> = {
      step: (name, run, options) =>
        ctx.step(name, this.#over(name, run), this.#withUndo(name, options)) as Promise<never>,
      each: (name, items, run, options) =>
        ctx.each(name, items, (inner, item) => run(this.within(inner), item), options),
    };
    return new Proxy(ctx, {
      get(target, key) {
        if (Object.hasOwn(own, key)) return Reflect.get(own, key) as unknown;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? value.bind(target) as unknown : value;
      },
    });
  }

  #withUndo<Value>(name: string, options?: StepOptions<Value>): StepOptions<Value> | undefined {
    const undo = options?.undo;
    if (typeof undo !== "function") return options;
    return { ...options, undo: this.#over(`${name}!undo`, undo as StepStub) };
  }

  #over<Given extends StepStub | Run>(name: string, given: Given): Given {
    // The step refuses it.
    if (typeof given !== "function") return given;
    const stub = this.#stubs.get(name) ?? given;
    const run: StepStub = async (...args) => {
      this.runs.set(name, (this.runs.get(name) ?? 0) + 1);
      if (stub === never) this.unexpected.add(name);
      const among = stub === hangs ? this.#hanging : this.#running;
      among.push(name);
      try {
        return await stub(...args);
      } finally {
        among.splice(among.indexOf(name), 1);
      }
    };
    return run as Given;
  }
}
