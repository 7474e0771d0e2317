import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { loadConfig } from "../../src/config/load_config.ts";
import { ConfigError } from "../../src/config/values/problems.ts";
import { isJobError } from "../../src/core/errors.ts";
import { SECRET_LENGTH_MIN } from "../../src/core/text/secret_forms.ts";
import { SecretMask } from "../../src/core/text/secret_mask.ts";
import { parseStoreUrl } from "../../src/core/settings/store_address.ts";
import { type Daemon, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { framed, rawCall, rawSession } from "../support/raw_grpc.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { CALLS } from "./corpus/calls.ts";
import { CONFIGS, MODULES, OFFLINE, STORE_URLS } from "./corpus/files.ts";
import { HOSTILE_TEXTS } from "./corpus/texts.ts";
import { AUTHORIZATIONS, CONNECTIONS, HTTP_REQUESTS, RAW_CALLS } from "./corpus/wire.ts";

/**
 * A corpus of hostile inputs against one running daemon: each is refused or accepted as the corpus
 * says, within two seconds, without a stack trace and, where people look, without control
 * characters; the daemon is well at the end.
 */
const ANSWER_MS_MAX = 2_000;
const MEMORY_BYTES_MAX = 400_000_000;
/** As long as a file of a secret may be. */
const SECRET_LENGTH_MAX = 65_536;
/** So many inputs the corpus has at least. */
const COUNT_MIN = 600;

const JOBS = `
export default [
  { kind: "echo", run(text: string): string { console.log(text); return text; } },
  {
    kind: "speaks",
    run(text: string): void { console.error(text); process.stdout.write(text + "\\n"); throw new Error(text); },
  },
  { kind: "waits", run(): void {} },
  {
    kind: "typed",
    run(count: number, when: Date, data: { a: number[] }, mode: "x" | "y"): number {
      return count + when.getTime() + data.a.length + mode.length;
    },
  },
];
`;

// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/;
const STACK = /^\s+at .*:\d+:\d+\)?$/m;

/** What is wrong with a text that is for people; empty when nothing. */
function flaws(text: string): string[] {
  const control = CONTROL.exec(text);
  return [
    ...(control ? [`has ${JSON.stringify(control[0])}`] : []),
    ...(STACK.test(text) ? ["has a stack trace"] : []),
  ];
}

let daemon: Daemon;
let inputs = 0;
before(async () => {
  daemon = await startDaemon({ modules: { "jobs.ts": JOBS, ...MODULES } });
});
after(async () => {
  await daemon?.stop({ force: true });
});

/** Run `action`, which must not take long. */
async function timed<T>(name: string, problems: string[], action: () => Promise<T>): Promise<T> {
  inputs += 1;
  const startMs = performance.now();
  const result = await action();
  const tookMs = performance.now() - startMs;
  if (tookMs > ANSWER_MS_MAX) problems.push(`${name}: took ${Math.round(tookMs)} ms`);
  return result;
}

test("calls of gRPC with hostile fields are refused with their code, or accepted", async () => {
  const problems: string[] = [];
  const client = daemon.client();
  for (const { name, call, outcome } of CALLS) {
    const found = await timed(
      name,
      problems,
      () =>
        call(client).then(() => ({ code: "ok", message: "" }), (error: unknown) => ({
          code: isJobError(error) ? error.code : "no JobError",
          message: String((error as Error).message),
        })),
    );
    const isExpected = [outcome].flat().includes(found.code as never);
    if (!isExpected) {
      problems.push(`${name}: ${found.code}, wanted ${outcome}: ${found.message.slice(0, 200)}`);
    }
    if (STACK.test(found.message)) problems.push(`${name}: a stack trace in ${found.message}`);
  }
  assert.deepEqual(problems, []);
});

test("frames, metadata and paths that are wrong are answered with their status", async () => {
  const problems: string[] = [];
  const token = readFileSync(join(daemon.dir, "token"), "utf8").trim();
  for (const { name, path, body, headers, statuses } of RAW_CALLS) {
    // Some end the connection.
    const session = rawSession(daemon.port);
    const all = { authorization: `Bearer ${token}`, ...headers };
    const { status, message } = await timed(
      name,
      problems,
      () => rawCall(session, path, body, all),
    );
    session.destroy();
    if (!statuses.includes(status)) {
      problems.push(`${name}: ${status}, wanted ${statuses}: ${message}`);
    }
    if (STACK.test(message)) problems.push(`${name}: a stack trace`);
  }
  for (const authorization of AUTHORIZATIONS) {
    const session = rawSession(daemon.port);
    const name = `authorization ${authorization?.slice(0, 40)}`;
    const { status } = await timed(name, problems, () =>
      rawCall(
        session,
        "/job.v1.JobService/GetVersion",
        framed(new Uint8Array()),
        authorization === null ? {} : { authorization },
      ));
    session.destroy();
    if (status !== 16) problems.push(`${name}: ${status}, wanted 16`);
  }
  assert.deepEqual(problems, []);
});

/** The first bytes that a port answers; empty when it closes, or says nothing for a while. */
function exchange(port: number, bytes: string | Uint8Array): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    const done = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks));
    };
    socket.setTimeout(300, done);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", done);
    socket.on("close", done);
    socket.write(bytes);
  });
}

test("connections that break the protocol are closed, and others are served", async () => {
  const problems: string[] = [];
  await Promise.all(
    Object.entries(CONNECTIONS).map(([name, bytes]) =>
      timed(name, problems, () => exchange(daemon.port, bytes))
    ),
  );
  await Promise.all(
    Object.entries(HTTP_REQUESTS).map(async ([name, [request, ...statuses]]) => {
      const answer = await timed(
        name,
        problems,
        () => exchange(daemon.httpPort, Buffer.from(request, "latin1")),
      );
      const text = answer.toString();
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
      if (!statuses.includes(status)) {
        problems.push(`${name}: ${status}, wanted ${statuses}`);
      }
      if (STACK.test(text) || text.includes("<script>alert")) problems.push(`${name}: ${text}`);
    }),
  );
  assert.deepEqual(problems, []);
  assert.equal((await daemon.client().getVersion()).apiVersion, "v1");
});

test("configurations and store URLs that are wrong are refused with a place, and without passwords", async () => {
  const problems: string[] = [];
  await withTempDir({}, async (dir) => {
    for (const [name, [toml, outcome]] of Object.entries(CONFIGS)) {
      const file = dir.write("config.toml", toml);
      const found = await timed(
        name,
        problems,
        () =>
          loadConfig(file, { env: {}, cwd: dir.path }).then(
            (loaded) => loaded.problems,
            (error: unknown) => error instanceof ConfigError ? error.problems : String(error),
          ),
      );
      if (typeof found === "string") problems.push(`${name}: threw ${found}`);
      else if ((found.length > 0) !== (outcome === "refused")) {
        problems.push(`${name}: ${found.length} problems, wanted ${outcome}`);
      }
    }
  });
  for (const url of STORE_URLS) {
    await timed(url, problems, () => {
      try {
        parseStoreUrl(url);
        problems.push(`the store URL ${JSON.stringify(url.slice(0, 60))} is accepted`);
      } catch (error) {
        if (!isJobError(error, "invalid_argument")) problems.push(`${url}: ${error}`);
        if (/hunter2/.test(String((error as Error).message))) problems.push(`${url}: ${error}`);
      }
      return Promise.resolve();
    });
  }
  assert.deepEqual(problems, []);
});

test("secrets of hostile texts are masked where they are long enough, and harm no mask", () => {
  const problems: string[] = [];
  for (const [name, text] of Object.entries(HOSTILE_TEXTS)) {
    inputs += 1;
    const secret = text.slice(0, SECRET_LENGTH_MAX);
    const mask = new SecretMask([secret]);
    const isMasked = mask.text(`<${secret}>`) === "<***>";
    const isLong = secret.toWellFormed().length >= SECRET_LENGTH_MIN;
    if (isMasked !== isLong) problems.push(`${name}: masked ${isMasked}`);
    const json = JSON.stringify([secret, { [secret]: 1 }]);
    JSON.parse(mask.json(json));
    if (isLong && mask.json(json) !== '["***",{"***":1}]') {
      problems.push(`${name}: ${mask.json(json)}`);
    }
    mask.cutBefore(Buffer.from(`<${secret}>`).toString("latin1"), 3);
  }
  assert.deepEqual(problems, []);
});

test("what people see of hostile texts has neither control characters nor stack traces", async () => {
  const problems: string[] = [];
  const client = daemon.client();
  const uuids: string[] = [];
  for (const text of Object.values(HOSTILE_TEXTS)) {
    inputs += 1;
    const { instance } = await client.scheduleJob({
      kind: "speaks",
      arguments: [text.slice(0, 20_000)],
    });
    uuids.push(instance!.uuid);
  }
  await Promise.all(
    uuids.map((uuid) => client.waitInstance({ uuid, waitMs: 30_000n }, { timeoutMs: 40_000 })),
  );
  const see = async (args: readonly string[], codes: readonly number[], input = "") => {
    inputs += 1;
    // Each is a process of its own, beside others: how long it takes says nothing.
    const { code, stdout, stderr } = await daemon.jobctl(args, { input });
    if (!codes.includes(code)) {
      problems.push(`${args.join(" ")}: exit code ${code}, wanted ${codes}: ${stderr}`);
    }
    for (const flaw of flaws(stdout + stderr)) problems.push(`${args.join(" ")} ${flaw}`);
  };
  const calls: (() => Promise<void>)[] = [
    ["list", "instances", "-o", "table"],
    ["list", "instances", "-o", "json"],
    ["list", "jobs", "-o", "yaml"],
    ["list", "pauses", "-o", "wide"],
    ["list", "schedules", "-o", "table"],
    ["logs", "-o", "json"],
    ["logs", "-o", "table"],
    ["status", "-o", "table"],
    ["explain", uuids[4]!],
    ["describe", "instance", uuids[7]!],
    ["history", uuids[9]!, "-o", "table"],
  ].map((args) => () => see(args, [0]));
  for (const text of ["newlines", "colours", "C1 controls", "turned direction"]) {
    const value = HOSTILE_TEXTS[text]!;
    calls.push(() => see(["get", "job", value], [4]));
    calls.push(() => see(["schedule", "echo", "--timezone", value, "--cron", value], [1, 2]));
  }
  calls.push(() => see(["check", "--config", "config.toml", "-o", "table"], [2]));
  for (const [args, input, ...codes] of Object.values(OFFLINE)) {
    calls.push(() => see(args, codes, input));
  }
  const next = async (): Promise<void> => {
    for (let call = calls.pop(); call !== undefined; call = calls.pop()) await call();
  };
  await Promise.all([next(), next(), next()]);
  assert.deepEqual(problems, []);
});

test("the daemon is well after all of it", async () => {
  const { version } = await daemon.client().getVersion();
  assert.notEqual(version, "");
  const { instance } = await daemon.client().scheduleJob({ kind: "echo", arguments: ["well"] });
  const ended = await daemon.client().waitInstance(
    { uuid: instance!.uuid, waitMs: 30_000n },
    { timeoutMs: 40_000 },
  );
  assert.deepEqual(ended.instance?.results, ["well"]);
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))![1];
  assert.ok(Number(rss) * 1_024 < MEMORY_BYTES_MAX, `${rss} kB`);
  const log = daemon.log();
  assert.deepEqual(flaws(log), []);
  for (const module of Object.keys(MODULES)) {
    inputs += 1;
    assert.ok(log.includes(module) || module.startsWith("imports_itself"), `${module} is told`);
  }
  const { code } = await runJobctl(["--version"]);
  assert.equal(code, 0);
  console.log(`${inputs} hostile inputs`);
  assert.ok(inputs >= COUNT_MIN, `${inputs} inputs`);
});
