import { createHash } from "node:crypto";
import type { CallAllOptions, ChildOutcome } from "../../core/flow/flow_context.ts";
import { StepError } from "../../core/flow/step_error.ts";
import { madeKey, memberKey, type Wait } from "../../core/wait.ts";
import type { Flow } from "./flow.ts";
import { Awaited } from "./operations.ts";
import type { OpenName, StepNames } from "./step_names.ts";
import { type ChildRecord, failureOfChild, orderKey, resultOfChild } from "./step_records.ts";

/** One child. */
export class CallOperation extends Awaited<unknown> {
  readonly #kind: string;
  readonly #args: readonly unknown[];
  #state: "new" | "calling" | "called" = "new";

  constructor(
    flow: Flow,
    names: StepNames,
    open: OpenName,
    { kind, args }: { readonly kind: string; readonly args: readonly unknown[] },
  ) {
    super(flow, names, open);
    this.#kind = kind;
    this.#args = args;
  }

  get #child(): ChildRecord | undefined {
    return this.flow.record<ChildRecord>(this.key);
  }

  protected override get outcomeOrder(): number | null {
    return this.flow.orderOf(this.key);
  }

  protected replay(): void {
    const child = this.#child!;
    if (child.state === "completed") return this.succeed(resultOfChild(child));
    this.fail(new StepError(this.#kind, failureOfChild(child), { childId: child.id }));
  }

  override run(): boolean {
    if (this.#child !== undefined || this.#state === "called") return false;
    if (this.#state === "new") {
      this.#state = "calling";
      void this.#call();
    }
    return true;
  }

  satisfiedAt(): number | null {
    return this.#child?.at ?? null;
  }

  conclude(order: number): void {
    this.flow.keep({ key: orderKey(this.key), data: { order } });
    this.replay();
  }

  waits(): readonly Wait[] {
    return [{ key: this.key, type: "child", name: this.#kind, until: null }];
  }

  // It is repeated in each run until the child has ended: the node accepts it once.
  async #call(): Promise<void> {
    try {
      await this.flow.writeSeen();
      await this.flow.host.call("flow.call", [this.key, this.#kind, this.#args]);
      this.#state = "called";
      this.flow.poke();
    } catch (error) {
      this.fail(error);
    }
  }
}

/** Several children. */
export class CallAllOperation extends Awaited<readonly unknown[]> {
  readonly #kind: string;
  readonly #args: readonly (readonly unknown[])[];
  readonly #onFailure: NonNullable<CallAllOptions["onFailure"]>;
  #state: "new" | "calling" | "called" = "new";

  constructor(
    flow: Flow,
    names: StepNames,
    open: OpenName,
    { kind, args, onFailure }: {
      readonly kind: string;
      readonly args: readonly (readonly unknown[])[];
      readonly onFailure: NonNullable<CallAllOptions["onFailure"]>;
    },
  ) {
    super(flow, names, open);
    this.#kind = kind;
    this.#args = args;
    this.#onFailure = onFailure;
  }

  get #end(): { readonly at: number; readonly by: string } | undefined {
    return this.flow.record(this.key);
  }

  protected override get outcomeOrder(): number | null {
    return this.flow.orderOf(this.key);
  }

  protected replay(): void {
    const children = this.#args.map((_, index) =>
      this.flow.record<ChildRecord>(memberKey(this.key, index))
    );
    if (this.#onFailure === "collect") return this.succeed(children.map((one) => outcomeOf(one!)));
    const failures = children.filter((one) => one !== undefined && one.state !== "completed");
    // The others that this one canceled have failed, too, when it runs again.
    const first = this.#onFailure === "cancel" ? this.#end?.by : undefined;
    const failed = failures.find((one) => one!.id === first) ?? failures[0];
    if (failed === undefined) return this.succeed(children.map((one) => resultOfChild(one!)));
    this.fail(new StepError(this.#kind, failureOfChild(failed), { childId: failed.id }));
  }

  override run(): boolean {
    if (this.#args.length === 0) return false;
    const isMade = this.flow.record(madeKey(this.key)) !== undefined;
    if (this.#end !== undefined || this.#state === "called" || isMade) return false;
    if (this.#state === "new") {
      this.#state = "calling";
      void this.#call();
    }
    return true;
  }

  satisfiedAt(): number | null {
    return this.#args.length === 0 ? 0 : this.#end?.at ?? null;
  }

  conclude(order: number): void {
    this.flow.keep({ key: orderKey(this.key), data: { order } });
    if (this.#onFailure === "cancel" && this.#hasFailed()) return void this.#cancel();
    this.replay();
  }

  waits(): readonly Wait[] {
    return [{ key: this.key, type: "children", name: this.#kind, until: null }];
  }

  #hasFailed(): boolean {
    return this.#args.some((_, index) => {
      const child = this.flow.record<ChildRecord>(memberKey(this.key, index));
      return child !== undefined && child.state !== "completed";
    });
  }

  async #call(): Promise<void> {
    try {
      const isFast = this.#onFailure === "cancel";
      await this.flow.writeSeen();
      await this.flow.host.call("flow.callAll", [this.key, this.#kind, this.#args, isFast]);
      this.#state = "called";
      this.flow.poke();
    } catch (error) {
      this.fail(error);
    }
  }

  async #cancel(): Promise<void> {
    try {
      await this.flow.host.call("flow.cancel", [this.key]);
      this.replay();
    } catch (error) {
      this.fail(error);
    }
  }
}

function outcomeOf(child: ChildRecord): ChildOutcome<unknown> {
  const { id: childId, state } = child;
  if (state === "completed") return { ok: true, childId, value: resultOfChild(child) };
  const { name, message } = failureOfChild(child);
  return { ok: false, childId, state, error: { name, message } };
}

/** A text that stands for arguments in a key. */
export function digestOf(args: unknown): string {
  return createHash("sha256").update(JSON.stringify(args) ?? "").digest("hex").slice(0, 16);
}
