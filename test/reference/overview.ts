// The feature overview of go-job, section by section, written in TypeScript: each row does what the
// section says and checks the outcome. Prints one line for each row. JOBCTL is the compiled file;
// without it, the rows about its commands are left out, as they do the same on each runtime.
// MY_STORE is the module of a custom store, VALKEY_URL and ETCD_URL are servers for the rows about
// them.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Context, defineJob, Manager } from "ts-job";

type Row = readonly [section: string, what: string, run: () => Promise<void> | void];

const { JOBCTL, MY_STORE, VALKEY_URL, ETCD_URL } = process.env;
const output: unknown[] = [];
const print = (...values: unknown[]) => void output.push(...values);

/** What `run` gives with a started manager, which is stopped afterwards. */
async function managed<T>(
  run: (manager: Manager) => Promise<T>,
  setup: ConstructorParameters<typeof Manager>[0] = {},
): Promise<T> {
  const manager = new Manager(setup);
  await manager.start();
  try {
    return await run(manager);
  } finally {
    await manager.stop();
  }
}

/** A delay counts from the call, some milliseconds before the instance is accepted. */
function assertNear(delayMs: number, wantedMs: number): void {
  assert.ok(Math.abs(delayMs - wantedMs) < 100, `${delayMs} ms`);
}

const hello = defineJob({
  kind: "hello (no input and no return)",
  run: () => print("Hello, world!"),
});
const sum = defineJob({
  kind: "sum (two input and no output)",
  params: "x: number, y: number",
  run: (x: number, y: number) => print(x + y),
});
const concat = defineJob({
  kind: "concat (two input and one output)",
  params: "a: string, b: string",
  run: (a: string, b: string) => `${a}, ${b}`,
  onComplete: (instance, results) => instance.log.info(`${results[0]}`),
});

interface ConcatString {
  readonly a: string;
  readonly b: string;
  s: string;
}
const concatStruct = defineJob({
  kind: "concat (one struct input and one struct output)",
  params: "param: { a: string; b: string; s?: string }",
  run: (param: ConcatString) => {
    param.s = `${param.a}, ${param.b}`;
    return param;
  },
  onComplete: (instance, results) => instance.log.info(JSON.stringify(results[0])),
});

/** A running daemon of the compiled file, and its client on the command line. */
interface Daemon {
  readonly port: number;
  jobctl(...args: readonly string[]): Promise<string>;
}

async function withDaemon(run: (daemon: Daemon) => Promise<void>): Promise<void> {
  assert.ok(JOBCTL, "JOBCTL names the compiled file");
  const dir = mkdtempSync(join(tmpdir(), "jobctl-reference-"));
  const socket = join(dir, "socket");
  writeFileSync(
    join(dir, "config.toml"),
    `[store]\nurl = "memory:"\n[server]\nport = 0\nhttp = ""\nsocket = "${socket}"\n` +
      `[server.auth]\ntoken_file = "${join(dir, "token")}"\n[worker]\ncount = 2\n` +
      '[jobs.greet]\nrun = "echo hello $1"\nparams = "name: string"\n',
  );
  const child = spawn(JOBCTL, ["serve", "--config", join(dir, "config.toml")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    let log = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => log += text);
    while (!log.includes(" is ready")) await once(child.stderr, "data");
    const port = Number(/tcp=127\.0\.0\.1:(\d+)/.exec(log)?.[1]);
    await run({
      port,
      async jobctl(...args) {
        const { stdout } = await promisify(execFile)(JOBCTL, [...args, "-o", "json"], {
          env: { PATH: process.env.PATH, JOBCTL_SOCKET: socket, JOBCTL_PORT: `${port}` },
        });
        return stdout;
      },
    });
  } finally {
    child.kill("SIGTERM");
    await once(child, "exit");
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Two managers on one store share its work, and what one has done the other sees. */
async function shared(url: string): Promise<void> {
  const store = { url, prefix: `reference-${process.pid}` };
  const ran = new Set<string>();
  const of = (node: string) => {
    const manager = new Manager({ store, node, workers: 1 });
    manager.registerJob({
      kind: "work",
      run: async () => {
        ran.add(node);
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
    });
    return manager;
  };
  const [a, b] = [of("node-a"), of("node-b")];
  await a.start();
  await b.start();
  const instances = await Promise.all(
    Array.from({ length: 20 }, () => a.scheduleJob("work")),
  );
  for (const instance of instances) assert.equal((await b.wait(instance)).state, "completed");
  assert.deepEqual([...ran].sort(), ["node-a", "node-b"]);
  await a.stop();
  await b.stop();
}

const FUNCTIONS = "Arbitrary Function Execution";
const SIMPLE = `${FUNCTIONS} › Simple Function Example`;
const ARGUMENTS = `${FUNCTIONS} › Function with Arguments Example`;
const RESULT = `${FUNCTIONS} › Function with Arguments and Result Example`;
const STRUCT = `${FUNCTIONS} › Function with Struct Input and Output`;
const SCHEDULING = "Job Scheduling";
const HANDLERS = "Job Monitoring and Observability › Real-time Monitoring with Event Handlers";
const HISTORY = "Job Monitoring and Observability › Historical Data Queries";
const PRIORITY = "Priority Management & Worker Scaling › Job Priority Control";
const POOL = "Priority Management & Worker Scaling › Dynamic Worker Pool Management";
const REMOTE = "Remote Management with gRPC API › Remote Operation with gRPC API";
const CLI = "Remote Management with gRPC API › Command-Line Interface (jobctl)";
const STORE = "Distributed Support via Store Interface";

const ROWS: readonly Row[] = [
  [FUNCTIONS, "func(): no input, no output", () =>
    managed(async (manager) => {
      const done = await manager.wait(await manager.scheduleJob({ kind: "f", run: () => {} }));
      assert.equal(done.state, "completed");
    })],
  [
    FUNCTIONS,
    "func(int, string) bool: several inputs, one output",
    () =>
      managed(async (manager) => {
        const job = manager.registerJob({
          kind: "longer",
          params: "length: number, text: string",
          run: (length: number, text: string) => text.length > length,
        });
        const done = await manager.wait(await job.schedule(3, "four"));
        assert.deepEqual(done.results, [true]);
      }),
  ],
  [
    FUNCTIONS,
    "func(*MyStruct) error: struct input, error output",
    () =>
      managed(async (manager) => {
        const job = manager.registerJob({
          kind: "validate",
          params: "order: { id: number }",
          run: (order: { id: number }) => {
            if (order.id < 0) throw new RangeError(`no order ${order.id}`);
          },
        });
        assert.equal((await manager.wait(await job.schedule({ id: 1 }))).state, "completed");
        const failed = await manager.wait(await job.schedule({ id: -1 }));
        assert.equal(failed.state, "terminated");
        assert.equal(failed.error?.message, "no order -1");
      }),
  ],
  [FUNCTIONS, "func(a, b int) (int, error): several outputs", () =>
    managed(async (manager) => {
      const job = manager.registerJob({
        kind: "divide",
        params: "a: number, b: number",
        returns: "[quotient: number, rest: number]",
        run: (a: number, b: number) => {
          if (b === 0) throw new RangeError("division by zero");
          return [Math.trunc(a / b), a % b];
        },
      });
      assert.deepEqual((await manager.wait(await job.schedule(7, 2))).results, [3, 1]);
      assert.equal((await manager.wait(await job.schedule(7, 0))).error?.name, "RangeError");
    })],
  [FUNCTIONS, "any number and type of parameters", () =>
    managed(async (manager) => {
      const job = manager.registerJob({
        kind: "many",
        params: "first: Date, flag: boolean, ...rest: number[]",
        run: (first: Date, flag: boolean, ...rest: number[]) =>
          `${first.getUTCFullYear()} ${flag} ${rest.length}`,
      });
      const instance = await manager.scheduleJob(job, {
        arguments: ["2026-01-31", "true", "1", 2, 3],
      });
      assert.deepEqual((await manager.wait(instance)).results, ["2026 true 3"]);
    })],
  [FUNCTIONS, "basic types: int, string, bool", () =>
    managed(async (manager) => {
      const job = manager.registerJob({
        kind: "basic",
        params: "n: number, s: string, b: boolean",
        run: (n: number, s: string, b: boolean) => [typeof n, typeof s, typeof b].join(),
      });
      const instance = await manager.scheduleJob(job, { arguments: ["1", 2, "T"] });
      assert.deepEqual((await manager.wait(instance)).results, ["number,string,boolean"]);
    })],
  [FUNCTIONS, "complex structs", () =>
    managed(async (manager) => {
      const job = manager.registerJob({
        kind: "total",
        params: "order: { lines: { price: number; count: number }[]; paid: Map<string, number> }",
        run: (
          order: { lines: { price: number; count: number }[]; paid: Map<string, number> },
        ) => {
          const total = order.lines.reduce((all, { price, count }) => all + price * count, 0);
          return total - (order.paid.get("card") ?? 0);
        },
      });
      const order = { lines: [{ price: "2.5", count: 4 }], paid: { card: 3 } };
      const instance = await manager.scheduleJob(job.kind, { arguments: [order] });
      assert.deepEqual((await manager.wait(instance)).results, [7]);
    })],
  [FUNCTIONS, "handle errors in the job function", () =>
    managed(async (manager) => {
      const done = await manager.wait(
        await manager.scheduleJob({
          kind: "handles",
          run: (): string => {
            try {
              throw new Error("inside");
            } catch (error) {
              return `handled ${(error as Error).message}`;
            }
          },
        }),
      );
      assert.deepEqual(done.results, ["handled inside"]);
    })],
  [
    FUNCTIONS,
    "an existing function as it is, without an adapter",
    () =>
      managed(async (manager) => {
        async function countLetters(text: string): Promise<number> {
          return await Promise.resolve(text.length);
        }
        const job = manager.registerJob(countLetters);
        assert.deepEqual((await manager.wait(await job.schedule("four"))).results, [4]);
      }),
  ],

  [SIMPLE, "ScheduleJob(job) without arguments", () =>
    managed(async (manager) => {
      output.length = 0;
      await manager.wait(await manager.scheduleJob(hello));
      assert.deepEqual(output, ["Hello, world!"]);
    })],

  [ARGUMENTS, "two inputs, no output", () =>
    managed(async (manager) => {
      const done = await manager.wait(await manager.scheduleJob(sum, { arguments: [1, 2] }));
      assert.deepEqual(done.arguments, [1, 2]);
    })],
  [ARGUMENTS, "integer arguments", () =>
    managed(async (manager) => {
      output.length = 0;
      await manager.wait(await manager.scheduleJob(sum, { arguments: [42, 58] }));
      assert.deepEqual(output, [100]);
    })],
  [ARGUMENTS, "string arguments", () =>
    managed(async (manager) => {
      output.length = 0;
      await manager.wait(await manager.scheduleJob(sum, { arguments: ["42", "58"] }));
      assert.deepEqual(output, [100]);
    })],
  [ARGUMENTS, "the most convenient format, both ways", () =>
    managed(async (manager) => {
      const instance = await manager.scheduleJob(concat, { arguments: [42, true] });
      assert.deepEqual((await manager.wait(instance)).results, ["42, true"]);
      await assert.rejects(manager.scheduleJob(sum, { arguments: ["42", "many"] }), {
        code: "invalid_argument",
      });
    })],

  [RESULT, "two inputs, one output", () =>
    managed(async (manager) => {
      const instance = await manager.scheduleJob(concat, { arguments: ["Hello", "world"] });
      assert.deepEqual((await manager.wait(instance)).results, ["Hello, world"]);
    })],
  [RESULT, "the completion handler logs the result", () =>
    managed(async (manager) => {
      const instance = await manager.scheduleJob(concat, { arguments: ["Hello", "world"] });
      await manager.wait(instance);
      const { items } = await manager.lookupInstanceLogs({ instance });
      assert.deepEqual(items.map(({ level, message }) => [level, message]), [
        ["info", "Hello, world"],
      ]);
    })],

  [STRUCT, "a struct as argument", () =>
    managed(async (manager) => {
      const argument = { a: "Hello", b: "world!", s: "" };
      const instance = await manager.scheduleJob(concatStruct, { arguments: [argument] });
      const [result] = (await manager.wait(instance)).results;
      assert.equal((result as ConcatString).s, "Hello, world!");
    })],
  [STRUCT, "JSON text as argument", () =>
    managed(async (manager) => {
      const argument = '{"a": "Hello", "b": "world!"}';
      const instance = await manager.scheduleJob(concatStruct, { arguments: [argument] });
      assert.deepEqual((await manager.wait(instance)).results, [
        { a: "Hello", b: "world!", s: "Hello, world!" },
      ]);
    })],
  [STRUCT, "the completion handler gets the struct", () =>
    managed(async (manager) => {
      const argument = { a: "Hello", b: "world!" };
      const instance = await manager.scheduleJob(concatStruct, { arguments: [argument] });
      await manager.wait(instance);
      const { items: [line] } = await manager.lookupInstanceLogs({ instance });
      assert.equal(JSON.parse(line!.message).s, "Hello, world!");
    })],

  [`${SCHEDULING} › Execute Jobs Immediately`, "by default", () =>
    managed(async (manager) => {
      const before = Date.now();
      const done = await manager.wait(await manager.scheduleJob(hello));
      assert.ok(done.processedAt! - before < 1_000);
    })],
  [
    `${SCHEDULING} › Schedule at a Specific Time`,
    "ten minutes from now",
    () =>
      managed(async (manager) => {
        const at = new Date(Date.now() + 10 * 60_000);
        const instance = await manager.scheduleJob(hello, { at });
        assert.deepEqual([instance.state, instance.dueAt], ["scheduled", at.getTime()]);
      }),
  ],
  [
    `${SCHEDULING} › Schedule at a Specific Time`,
    "a date and time; one that has passed is due",
    () =>
      managed(async (manager) => {
        const at = new Date(Date.UTC(2025, 11, 25, 9, 0, 0));
        assert.equal(
          (await manager.wait(await manager.scheduleJob(hello, { at }))).state,
          "completed",
        );
        const later = await manager.scheduleJob(hello, { at: new Date("2099-12-25T09:00:00Z") });
        assert.equal(new Date(later.dueAt).toISOString(), "2099-12-25T09:00:00.000Z");
      }),
  ],
  [`${SCHEDULING} › Delay Execution`, "five seconds", () =>
    managed(async (manager) => {
      const instance = await manager.scheduleJob(hello, { after: "5s" });
      assertNear(instance.dueAt - instance.createdAt, 5_000);
      const soon = await manager.wait(await manager.scheduleJob(hello, { after: 50 }));
      assert.ok(soon.processedAt! >= soon.dueAt);
    })],
  [`${SCHEDULING} › Delay Execution`, "two hours", () =>
    managed(async (manager) => {
      const instance = await manager.scheduleJob(hello, { after: "2h" });
      assertNear(instance.dueAt - instance.createdAt, 7_200_000);
    })],
  ...([
    ["daily at midnight", "0 0 * * *", /T00:00:00/],
    ["every weekday at 9 AM", "0 9 * * 1-5", /T09:00:00/],
    ["every 30 minutes", "*/30 * * * *", /T\d\d:[03]0:00/],
    ["minute hour day-of-month month day-of-week", "5 4 3 2 *", /-02-03T04:05:00/],
  ] as const).map(([what, cron, next]): Row => [
    `${SCHEDULING} › Recurring Cron Scheduling`,
    what,
    () =>
      managed(async (manager) => {
        const schedule = await manager.scheduleJob(hello, { cron });
        assert.equal(schedule.spec.cron, cron);
        assert.match(new Date(schedule.nextAt!).toISOString(), next);
      }),
  ]),

  [
    `${HANDLERS} › Completion and Termination Handlers`,
    "completion",
    () =>
      managed(async (manager) => {
        const told: unknown[] = [];
        const job = {
          kind: "told",
          run: () => "fine",
          onComplete: (_: unknown, results: readonly unknown[]) => void told.push(...results),
        };
        await manager.wait(await manager.scheduleJob(job));
        assert.deepEqual(told, ["fine"]);
      }),
  ],
  [
    `${HANDLERS} › Completion and Termination Handlers`,
    "termination",
    () =>
      managed(async (manager) => {
        const job = defineJob({
          kind: "fails",
          run: () => {
            throw new Error("no luck");
          },
          onTerminate: (instance, error) => instance.log.error(`Error: ${error.message}`),
        });
        const instance = await manager.wait(await manager.scheduleJob(job));
        assert.equal(instance.state, "terminated");
        const { items } = await manager.lookupInstanceLogs({ instance, level: "error" });
        assert.ok(items.some(({ message }) => message === "Error: no luck"));
      }),
  ],
  [
    `${HANDLERS} › State Change Monitoring`,
    "every transition, in order",
    () =>
      managed(async (manager) => {
        const states: string[] = [];
        const job = defineJob({
          kind: "watched",
          run: () => {},
          onStateChange: (_, state) => void states.push(state),
        });
        await manager.wait(await manager.scheduleJob(job));
        await manager.idle({ timeout: "5s" });
        await new Promise((resolve) => setTimeout(resolve, 20));
        assert.deepEqual(states, ["scheduled", "processing", "completed"]);
      }),
  ],

  [
    `${HISTORY} › List All job Instances`,
    "scheduled, in progress or executed",
    () =>
      managed(async (manager) => {
        await manager.wait(await manager.scheduleJob(hello));
        await manager.scheduleJob(hello, { after: "1h" });
        const { items } = await manager.lookupInstances();
        assert.deepEqual(items.map(({ state }) => state).sort(), ["completed", "scheduled"]);
        for (const { kind, id } of items) assert.ok(kind === hello.kind && id.length === 36);
        let count = 0;
        for await (const _ of manager.instances()) count += 1;
        assert.equal(count, await manager.count());
      }),
  ],
  [`${HISTORY} › List All job Instances`, "by kind and state", () =>
    managed(async (manager) => {
      await manager.wait(
        await manager.scheduleJob({
          kind: "sum",
          run: () => {
            throw new Error("broken");
          },
        }),
      );
      await manager.wait(await manager.scheduleJob(hello));
      const { items } = await manager.lookupInstances({ kind: "sum", state: "Terminated" });
      assert.deepEqual(items.map(({ kind, state }) => [kind, state]), [["sum", "terminated"]]);
    })],
  [
    `${HISTORY} › Retrieve History and Logs`,
    "state history of an instance",
    () =>
      managed(async (manager) => {
        const instance = await manager.wait(await manager.scheduleJob(hello));
        const { items } = await manager.lookupInstanceHistory({ instance });
        assert.deepEqual(items.map(({ state }) => state), [
          "created",
          "scheduled",
          "processing",
          "completed",
        ]);
        for (const { at } of items) assert.ok(Math.abs(at - Date.now()) < 60_000);
      }),
  ],
  [
    `${HISTORY} › Retrieve History and Logs`,
    "log history of an instance",
    () =>
      managed(async (manager) => {
        const job = defineJob({
          kind: "talks",
          params: "ctx: Context",
          run: (ctx: Context) => {
            ctx.log.info("Result:", 42);
            ctx.log.warn("nearly");
          },
        });
        const instance = await manager.wait(await manager.scheduleJob(job));
        const { items } = await manager.lookupInstanceLogs({ instance });
        assert.deepEqual(items.map(({ level, message }) => `[${level}] ${message}`), [
          "[info] Result: 42",
          "[warn] nearly",
        ]);
        for (const { at } of items) assert.ok(at > 0);
      }),
  ],
  [
    `${HISTORY} › Retrieve History and Logs`,
    "auditable afterwards, and removable",
    () =>
      managed(async (manager) => {
        const instance = await manager.wait(await manager.scheduleJob(hello));
        const other = await manager.wait(await manager.scheduleJob(hello));
        assert.equal(await manager.clearInstanceHistory({ instance }), 1);
        const { items } = await manager.lookupInstances();
        assert.deepEqual(items.map(({ id }) => id), [other.id]);
      }),
  ],

  [
    `${PRIORITY} › Set Priority During Job Creation`,
    "lower numbers first",
    () =>
      managed(async (manager) => {
        const order: string[] = [];
        const gate = Promise.withResolvers<void>();
        const running = await manager.scheduleJob({ kind: "gate", run: () => gate.promise });
        const background = {
          kind: "background-task",
          priority: 200,
          run: () => void order.push("low"),
        };
        const urgent = { kind: "urgent-task", priority: 0, run: () => void order.push("high") };
        const nice = { kind: "nice-task", priority: -5, run: () => void order.push("highest") };
        for (const job of [background, urgent, nice]) await manager.scheduleJob(job);
        gate.resolve();
        await manager.wait(running);
        await manager.idle({ timeout: "5s" });
        assert.deepEqual(order, ["highest", "high", "low"]);
      }, { workers: 1 }),
  ],
  [
    `${PRIORITY} › Override Priority at Schedule Time`,
    "default, and override",
    () =>
      managed(async (manager) => {
        const job = manager.registerJob({ kind: "normal", priority: 7, run: () => {} });
        const usual = await manager.scheduleJob(job);
        const low = await manager.scheduleJob(job, { priority: 200 });
        assert.deepEqual([usual.priority, low.priority], [7, 200]);
      }),
  ],

  [`${POOL} › Set Initial Worker Count`, "five", () =>
    managed(async (manager) => {
      assert.equal(manager.numWorkers(), 5);
      await Promise.resolve();
    }, { workers: 5 })],
  [`${POOL} › Scale Workers Dynamically`, "up to ten", () =>
    managed(async (manager) => {
      await manager.resizeWorkers(10);
      assert.equal(manager.numWorkers(), 10);
    })],
  [
    `${POOL} › Scale Workers Dynamically`,
    "down to three, told at once",
    () =>
      managed(async (manager) => {
        await manager.resizeWorkers(10);
        await manager.resizeWorkers(3);
        assert.equal(manager.numWorkers(), 3);
      }),
  ],
  [
    `${POOL} › Real-world Scaling Example`,
    "by the length of the queue",
    () =>
      managed(async (manager) => {
        const gate = Promise.withResolvers<void>();
        const job = manager.registerJob({ kind: "slow", run: () => gate.promise });
        for (let count = 0; count < 12; count++) await manager.scheduleJob(job);
        const scale = async () => {
          const { items } = await manager.lookupInstances({ state: "scheduled" });
          const workers = manager.numWorkers();
          if (items.length > workers * 2) await manager.resizeWorkers(workers + 2);
          else if (items.length === 0 && workers > 2) await manager.resizeWorkers(workers - 1);
        };
        await scale();
        assert.equal(manager.numWorkers(), 4);
        gate.resolve();
        await manager.idle({ timeout: "5s" });
        for (let turn = 0; turn < 3; turn++) await scale();
        assert.equal(manager.numWorkers(), 2);
      }, { workers: 2 }),
  ],

  [REMOTE, "scheduling with arguments and time", () =>
    withDaemon(async ({ jobctl }) => {
      const now = JSON.parse(await jobctl("schedule", "greet", "world", "--wait"));
      assert.equal(now.state, "completed");
      const later = JSON.parse(await jobctl("schedule", "greet", "world", "--in", "2h"));
      assert.equal(later.state, "scheduled");
    })],
  [REMOTE, "monitoring and status", () =>
    withDaemon(async ({ jobctl }) => {
      const { uuid } = JSON.parse(await jobctl("schedule", "greet", "world", "--wait"));
      const history = JSON.parse(await jobctl("history", uuid));
      assert.equal(history.at(-1).state, "completed");
      const [line] = JSON.parse(await jobctl("logs", uuid));
      assert.equal(line.message, "hello world");
      assert.equal(JSON.parse(await jobctl("status")).workers.count, 2);
    })],
  [REMOTE, "dynamic worker pool", () =>
    withDaemon(async ({ jobctl }) => {
      await jobctl("workers", "scale", "5");
      assert.equal(JSON.parse(await jobctl("status")).workers.count, 5);
    })],
  [REMOTE, "protocol buffers for other languages", async () => {
    const { stdout } = await promisify(execFile)(JOBCTL!, ["export", "proto"]);
    assert.match(stdout, /service JobService \{[^]*rpc ScheduleJob\(/);
  }],
  [REMOTE, "authentication", () =>
    withDaemon(async ({ port, jobctl }) => {
      const strange = promisify(execFile)(JOBCTL!, ["list", "jobs"], {
        env: {
          PATH: process.env.PATH,
          JOBCTL_PORT: `${port}`,
          JOBCTL_SOCKET: "none",
          JOBCTL_TOKEN: "wrong",
        },
      });
      await assert.rejects(strange, { code: 5 });
      assert.ok(JSON.parse(await jobctl("list", "jobs")).length > 0);
    })],

  [CLI, "ScheduleJob", () =>
    withDaemon(async ({ jobctl }) => {
      const recurring = JSON.parse(await jobctl("schedule", "greet", "x", "--cron", "0 9 * * 1-5"));
      assert.deepEqual([recurring.kind, recurring.cron], ["greet", "0 9 * * 1-5"]);
    })],
  [CLI, "ListJobs: all jobs and their metadata", () =>
    withDaemon(async ({ jobctl }) => {
      const jobs = JSON.parse(await jobctl("list", "jobs"));
      assert.ok(jobs.some(({ kind }: { kind: string }) => kind === "greet"));
    })],
  [CLI, "ListInstances: by kind, state and time", () =>
    withDaemon(async ({ jobctl }) => {
      await jobctl("schedule", "greet", "world", "--wait");
      const list = async (...conditions: readonly string[]) =>
        JSON.parse(await jobctl("list", "instances", ...conditions)).length;
      assert.equal(await list("--kind", "greet", "--state", "completed"), 1);
      assert.equal(await list("--kind", "greet", "--state", "terminated"), 0);
      assert.equal(await list("--after", "-1h"), 1);
      assert.equal(await list("--before", "-1h"), 0);
    })],

  [STORE, "memdb: an in-memory store for testing", () =>
    managed(async (manager) => {
      assert.equal((await manager.wait(await manager.scheduleJob(hello))).state, "completed");
    }, { store: "memory:" })],
  [STORE, "a custom store", async () => {
    const { LogFile } = await import(MY_STORE!) as typeof import("../../examples/my-store.ts");
    const dir = mkdtempSync(join(tmpdir(), "jobctl-reference-"));
    await managed(async (manager) => {
      assert.equal((await manager.wait(await manager.scheduleJob(hello))).state, "completed");
    }, { store: new LogFile(join(dir, "store.log")) });
    rmSync(dir, { recursive: true, force: true });
  }],
  [STORE, "state persists across restarts", async () => {
    const dir = mkdtempSync(join(tmpdir(), "jobctl-reference-"));
    try {
      const store = `sqlite:${join(dir, "jobs.db")}`;
      const { id } = await managed((manager) => manager.scheduleJob(hello, { after: "1h" }), {
        store,
      });
      await managed(async (manager) => {
        assert.equal((await manager.getInstance(id)).state, "scheduled");
      }, { store });
      assert.ok(readFileSync(join(dir, "jobs.db")).length > 0);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }],
  [`${STORE} › Valkey Store Plugin`, "several nodes share a store", () => shared(VALKEY_URL!)],
  [`${STORE} › Etcd Store Plugin`, "several nodes share a store", () => shared(ETCD_URL!)],
];

for (const [section, what, run] of ROWS) {
  if (JOBCTL === undefined && (section === REMOTE || section === CLI)) continue;
  try {
    await run();
    console.log(`ok ${section} › ${what}`);
  } catch (error) {
    console.log(`not ok ${section} › ${what}: ${(error as Error).stack}`);
    process.exitCode = 1;
  }
}
