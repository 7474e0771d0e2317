import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after, before } from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { JobState } from "../../src/rpc/gen/job_pb.ts";

/** Job code that attacks the daemon by the channel of its own worker, on the compiled file. */

const MODULES = {
  "attack.ts": `
import { writeSync } from "node:fs";
import type { Instance } from "ts-job";

const pause = new Int32Array(new SharedArrayBuffer(4));
function write(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}
const send = (message: unknown) => write(4, Buffer.from(JSON.stringify(message) + "\\n"));
const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));
const results = (text: string) => ({ type: "ok", resultsJson: JSON.stringify([text]) });

const ATTACKS: Record<string, (run: number, id: string) => unknown> = {
  endless: () => {
    const block = Buffer.alloc(1_048_576, 97);
    for (let count = 0; count < 400; count++) write(4, block);
  },
  late: async (run) => {
    const error = { name: "Error", message: "m".repeat(8_000), stack: "s".repeat(16_000) };
    for (let count = 0; count < 500; count++) send({ type: "late", run, error });
    await wait(200);
  },
  decided: async (run) => {
    send({ type: "decided", run, result: results("x".repeat(20_000_000)) });
    await wait(5_000);
  },
  large: async (run) => {
    send({ type: "decided", run, result: results("x".repeat(1_500_000)) });
    await wait(5_000);
  },
  started: async (run) => {
    for (let count = 0; count < 100; count++) {
      send({ type: "started", run });
      await wait(100);
    }
  },
  hello: async () => {
    for (let count = 0; count < 100; count++) {
      send({ type: "hello", version: 5, pid: process.pid });
      await wait(100);
    }
  },
  calls: async (run, id) => {
    for (let call = 1_000; call < 1_300; call++) {
      send({ type: "call", run, call, method: "waitInstance", args: [id, 60_000] });
    }
    await wait(5_000);
  },
  garbage: async () => {
    write(4, Buffer.from("{{{{\\n"));
    await wait(5_000);
  },
  guard: async () => {
    const block = Buffer.alloc(1_048_576, 97);
    for (let count = 0; count < 5; count++) {
      try { writeSync(3, block); } catch { await wait(1); }
    }
  },
  memory: async () => {
    try { write(5, Buffer.alloc(65_536, 255)); } catch { /* It has none. */ }
    await wait(100);
  },
};

export default [
  {
    kind: "attack",
    timeout: "2s",
    killAfter: "200ms",
    run: (name: string, { id }: Instance) => ATTACKS[name]!(1, id),
    onComplete: () => {},
  },
  { kind: "innocent", run: async (ms: number): Promise<string> => { await wait(ms); return "whole"; } },
];
`,
};

// Variables of its own give it workers of its own, so that its run is the first one of each.
const TOML = `
[worker]
count = 4
[jobs.attack]
env = { ATTACK = "1" }
`;

/** The daemon must never have more, in bytes. */
const MEMORY_MAX = 400_000_000;

let daemon: Daemon;
before(async () => {
  daemon = await startDaemon({ modules: MODULES, toml: TOML });
});
after(() => daemon.stop());

interface View {
  readonly state: string;
  readonly reason: string;
  readonly error: string;
}

function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1_024;
}

async function jobctl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.jobctl(args);
  assert.equal(code, 0, stderr);
  return stdout;
}

async function schedule(kind: string, ...args: string[]): Promise<string> {
  const { instance } = await daemon.client().scheduleJob({ kind, arguments: args });
  return instance!.uuid;
}

async function ended(id: string): Promise<View> {
  const { instance } = await daemon.client().waitInstance({ uuid: id, waitMs: 20_000n });
  assert.ok(instance, `instance ${id} has not ended`);
  const { state, reason = "", error = "" } = instance;
  return { state: JobState[state], reason, error };
}

/** Attack in a new worker, beside a job that must not be touched. */
async function attack(name: string): Promise<View> {
  const innocent = await schedule("innocent", "300");
  const found = await ended(await schedule("attack", name));
  assert.equal((await ended(innocent)).state, "COMPLETED");
  assert.ok(peakBytes(daemon.pid) < MEMORY_MAX, `${peakBytes(daemon.pid)} bytes`);
  return found;
}

const FORGERIES: Readonly<Record<string, RegExp>> = {
  endless: /a message of more than \d+ bytes/,
  decided: /a message of more than \d+ bytes/,
  large: /an unreadable message/,
  hello: /"hello" when it was not expected/,
  calls: /more concurrent calls than allowed/,
  garbage: /a message that is not JSON/,
};

for (const [name, message] of Object.entries(FORGERIES)) {
  test(`fault 91: a job that sends ${name} ends itself and nothing else`, async () => {
    const { state, reason, error } = await attack(name);
    assert.equal(`${state} ${reason}`, "TERMINATED error");
    assert.match(error, message);
  });
}

test("fault 91: a job that says again and again that it begins does not lift its timeout", async () => {
  const began = performance.now();
  assert.match((await attack("started")).error, /"started" when it was not expected/);
  assert.ok(performance.now() - began < 5_000);
});

test("fault 91: a flood of late errors neither fills the log nor the store", async () => {
  const id = await schedule("attack", "late");
  await ended(id);
  const lines = (await jobctl("logs", id)).split("\n").filter((line) => line.includes("Uncaught"));
  assert.ok(lines.length <= 3, `${lines.length} lines`);
  const told = daemon.log().split("\n").filter((line) => line.includes("Uncaught after"));
  assert.ok(told.length <= 3, `${told.length} warnings`);
});

for (const name of ["guard", "memory"]) {
  test(`fault 91: a job that writes to its ${name} leaves the daemon as it is`, async () => {
    await attack(name);
  });
}

test("fault 91: list, logs and a backup are whole after all of them", async () => {
  assert.equal((await daemon.ask(["list", "instances"])).code, 0);
  assert.equal((await daemon.ask(["logs", "--kind", "attack"])).code, 0);
  const backup = await daemon.jobctl(["store", "backup", `${daemon.dir}/backup`]);
  assert.equal(backup.code, 0, backup.stderr);
});

const LOADING: Readonly<Record<string, readonly [source: string, message: RegExp]>> = {
  endless: [
    `const block = Buffer.alloc(1_048_576, 97);
     for (let count = 0; count < 200; count++) write(block);`,
    /sent the daemon a message of more than \d+ bytes/,
  ],
  many: [
    `for (let count = 0; count < 10_000; count++) write(Buffer.from('"x"\\n'));
     for (;;);`,
    /more than 100 unexpected messages/,
  ],
  forged: [
    `const text = JSON.stringify({ type: "jobs", path: import.meta.path, jobs: 5 });
     write(Buffer.from(JSON.stringify(text) + "\\n"));
     process.exit(3);`,
    /ended the process with code 3/,
  ],
};

test("fault 91: a module that attacks while it is loaded is refused, and the others are not", async () => {
  const head = `
import { writeSync } from "node:fs";
function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try { at += writeSync(3, bytes, at, bytes.length - at); } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
    }
  }
}
`;
  const modules = Object.entries(LOADING).map(([name, [source]]) => {
    return [`${name}.ts`, `${head}${source}\nexport default function ${name}() {}`] as const;
  });
  const loaded = await startDaemon({ modules: { ...MODULES, ...Object.fromEntries(modules) } });
  try {
    assert.ok(peakBytes(loaded.pid) < MEMORY_MAX, `${peakBytes(loaded.pid)} bytes`);
    const { jobs } = await loaded.client().listRegisteredJobs({});
    const kinds = jobs.map(({ kind }) => kind).filter((kind) => !kind.startsWith("system."));
    assert.deepEqual(kinds.sort(), ["attack", "innocent"]);
    for (const [name, [, message]] of Object.entries(LOADING)) {
      const told = loaded.log().split("\n").find((line) => line.includes(`/${name}.ts`));
      assert.match(told ?? "", message);
    }
  } finally {
    await loaded.stop();
  }
});
