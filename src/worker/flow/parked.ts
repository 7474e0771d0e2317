import type { StepPut, Wait } from "../../core/wait.ts";

/** The end of a run that waits. */
export class Parked {
  readonly waits: readonly Wait[];
  readonly steps: readonly StepPut[];

  constructor(waits: readonly Wait[], steps: readonly StepPut[]) {
    this.waits = waits;
    this.steps = steps;
  }
}

/** Stands for the end of job code that has nothing more to repeat before it is taken back. */
export const LEFT = Symbol("left");
