import { spawn } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

// Jobs for the tests of executors: each shows one way in which job code can behave.

// deno-lint-ignore no-explicit-any
type Any = any;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const thrown: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  number: () => 42,
  string: () => "text",
  frozen: () => Object.freeze(new Error("frozen")),
  getter: () =>
    Object.defineProperty(new Error("x"), "message", {
      get() {
        throw new Error("no message");
      },
    }),
  long: () => new Error("m".repeat(1_000_000)),
  proxy: () =>
    new Proxy({}, {
      get() {
        throw new Error("trap");
      },
      getPrototypeOf() {
        throw new Error("trap");
      },
    }),
  symbol: () => Symbol("secret"),
  thenable: () => ({ then() {} }),
  cycle: () => {
    const error = new Error("cycle");
    error.cause = error;
    return error;
  },
};

const returned: Record<string, () => unknown> = {
  bigint: () => 2n ** 70n,
  cycle: () => {
    const value: Record<string, unknown> = {};
    value.self = value;
    return value;
  },
  function: () => () => 1,
  symbol: () => Symbol("s"),
  nan: () => NaN,
  badDate: () => new Date(NaN),
  map: () => new Map([["a", 1]]),
  proxy: () =>
    new Proxy({}, {
      get() {
        throw new Error("trap");
      },
      ownKeys() {
        throw new Error("trap");
      },
    }),
  large: () => "x".repeat(3_000_000),
  huge: () => Array.from({ length: 500 }, () => "y".repeat(1_000_000)),
  never: () => ({ then() {} }),
};

function misbehave(how: string) {
  console.log("in the handler");
  if (how.endsWith("spin")) { for (;;); }
  if (how.endsWith("exit")) process.exit(0);
  if (how.endsWith("kill")) process.kill(process.pid, "SIGKILL");
  if (how.endsWith("throw")) throw new Error("handler");
}

export default [
  { kind: "noop", run: () => {} },
  { kind: "echo", run: (value: unknown) => value },
  // What the value is, and the value.
  { kind: "kindOf", run: (value: Any) => [value?.constructor?.name ?? typeof value, value] },
  { kind: "pid", run: () => process.pid },
  {
    kind: "spin",
    run: (file?: string) => {
      if (file) writeFileSync(file, String(process.pid));
      console.log("spinning");
      for (;;);
    },
  },
  {
    kind: "waitAbort",
    run: (signal: AbortSignal) =>
      new Promise((_, reject) => {
        console.log("waiting");
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  },
  {
    kind: "returnOnAbort",
    run: (signal: AbortSignal) =>
      new Promise((resolve) => {
        console.log("waiting");
        signal.addEventListener("abort", () => resolve("done"));
      }),
  },
  {
    kind: "ignoreAbort",
    run: async () => {
      process.on("SIGTERM", () => console.log("no"));
      console.log("ignoring");
      await new Promise(() => setInterval(() => {}, 1_000));
    },
  },
  { kind: "exit", run: (code: number) => process.exit(code) },
  { kind: "killSelf", run: () => process.kill(process.pid, "SIGKILL") },
  {
    kind: "throw",
    run: (what: string) => {
      throw thrown[what]!();
    },
  },
  { kind: "return", run: (what: string) => returned[what]!() },
  {
    kind: "print",
    run: (count: number, text: string) => {
      for (let index = 0; index < count; index++) console.log(`${index} ${text}`);
    },
  },
  {
    kind: "printBytes",
    run: (base64: string) => void process.stdout.write(Buffer.from(base64, "base64")),
  },
  {
    kind: "tellLate",
    run: (run: number) => {
      const error = { name: "Error", message: "too late" };
      process.send!({ type: "late", run, error });
    },
  },
  {
    kind: "printBoth",
    run: (word: string) => {
      console.log(`out ${word} 1`);
      console.error(`err ${word}`);
      process.stdout.write(`out ${word} 2`);
    },
  },
  {
    kind: "flood",
    run: async (megabytes: number) => {
      const block = `${"y".repeat(99)}\n`.repeat(10_000);
      for (let index = 0; index < megabytes; index++) {
        await new Promise((resolve) => process.stdout.write(block, resolve));
      }
      console.log("the end");
    },
  },
  {
    kind: "log",
    run: (context: Any) => {
      context.log.debug("d");
      context.log.info("i");
      context.log.warn("w");
      context.log.error("e");
    },
  },
  {
    kind: "late",
    run: () => {
      // Nothing that holds the worker busy, and no timer: it comes when the result is on its way.
      void readFile("/proc/self/stat").then(() => {
        throw new Error("too late");
      });
    },
  },
  {
    kind: "uncaught",
    run: async () => {
      setTimeout(() => {
        throw new Error("loose");
      }, 5);
      await sleep(60_000);
    },
  },
  {
    kind: "leaveChild",
    run: (file: string) => {
      const child = spawn("/bin/sleep", ["600"], { stdio: "ignore" });
      writeFileSync(file, String(child.pid));
    },
  },
  {
    kind: "context",
    run: (context: Any, value: number, manager: Any, worker: Any) => ({
      value,
      fence: context.fence,
      id: context.instance.id,
      attempt: context.instance.attempt,
      scheduledFor: context.scheduledFor.toISOString(),
      aborted: context.signal.aborted,
      manager: Object.keys(manager).sort(),
      pid: worker.pid === process.pid,
    }),
  },
  {
    kind: "progress",
    run: (context: Any, count: number) => {
      context.progress(NaN);
      context.progress("half", 2);
      for (let done = 1; done <= count; done++) context.progress(done, count);
    },
  },
  {
    kind: "manager",
    run: (manager: Any, kind: string) => manager.scheduleJob(kind, { at: new Date(5) }),
  },
  {
    kind: "complete",
    run: (value: number) => value * 2,
    onComplete: (instance: Any, results: unknown[]) => {
      console.log(`completed ${instance.kind} ${JSON.stringify(results)}`);
    },
  },
  {
    kind: "terminate",
    run: (_how: string) => {
      throw new Error("original");
    },
    onTerminate: (instance: Any, error: Error) => {
      const how = instance.arguments[0];
      instance.log.info(`terminated by ${error.message}`);
      if (how === "resolve") return null;
      if (how === "replace") return new Error("replaced");
      if (how === "throw") throw new Error("thrown");
    },
  },
  {
    kind: "state",
    run: () => {},
    onStateChange: (instance: Any, state: string) => {
      appendFileSync(instance.arguments[0], `${state} ${instance.state}\n`);
    },
  },
  {
    kind: "badHandler",
    run: (how: string) => {
      if (how.startsWith("fail")) throw new Error("original");
      return 1;
    },
    onComplete: (instance: Any) => misbehave(instance.arguments[0]),
    onTerminate: (instance: Any) => misbehave(instance.arguments[0]),
  },
  { kind: "snooze", run: (context: Any, delay: Any) => context.snooze(delay) },
  {
    kind: "busy",
    run: async (busyMs: number) => {
      const untilMs = performance.now() + busyMs;
      while (performance.now() < untilMs);
      await sleep(busyMs);
    },
  },
  { kind: "discard", run: (context: Any, reason: string) => context.discard(reason) },
  {
    kind: "cleanUp",
    run: (signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    onTerminate: async (instance: Any, error: Error) => {
      // Longer than the job has after its timeout.
      await sleep(1_200);
      instance.log.info(`cleaned up after ${error.name}`);
      return null;
    },
  },
  {
    kind: "lateTerminate",
    run: () => process.exit(3),
    onTerminate: (instance: Any, error: Error) => {
      instance.log.info(`${error.name} ${process.pid}`);
      return instance.arguments[0] === "resolve" ? null : new Error("replaced");
    },
    retryDelay: () => "7s",
  },
  { kind: "deaf", run: () => void process.removeAllListeners("message") },
];
