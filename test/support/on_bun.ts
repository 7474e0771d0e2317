import { test } from "node:test";
import { runtimeName } from "../../src/platform/system/runtime.ts";

/**
 * A test that runs on Bun only, in a file that also runs on Deno: what it sees does not depend on
 * the processes, signals, sockets and files of the runtime, and starts processes, which takes twice
 * as long on Deno.
 */
export const testOnBun: typeof test = runtimeName() === "bun"
  ? test
  : ((() => {}) as unknown as typeof test);
