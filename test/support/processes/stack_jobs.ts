import type { Context } from "../../../src/core/job/job.ts";

/** Jobs whose errors have stacks of every shape. */

function readLedger(): never {
  throw new RangeError("no ledger");
}

/** Resolves in a later turn of the event loop. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

function sync(): void {
  readLedger();
}

async function late(): Promise<void> {
  await turn();
  readLedger();
}

async function caused(): Promise<void> {
  try {
    await late();
  } catch (cause) {
    throw new Error("no report", { cause });
  }
}

async function combined(): Promise<void> {
  await Promise.any([late(), late()]);
}

async function printed(ctx: Context): Promise<void> {
  try {
    await caused();
  } catch (error) {
    console.error(error);
    console.error((error as Error).stack);
    ctx.log.error("failed:", error);
  }
}

async function uncaught(): Promise<void> {
  setTimeout(readLedger, 1);
  await new Promise(() => {});
}

export default [
  ...[sync, late, caused, combined, uncaught].map((run) => ({ kind: run.name, params: "", run })),
  { kind: "printed", params: "ctx: Context", run: printed },
];
