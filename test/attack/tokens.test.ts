// What a token that was revoked, has expired or is for some jobs only still gets; by every method
// of the API.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { connect, type JobClient } from "../../src/rpc/client/client.ts";
import { JobService, JobState } from "../../src/rpc/gen/job_pb.ts";
import { type Daemon, JOBCTL, startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

const CONFIG_TOKEN = "0123456789abcdef-of-the-configuration";
const HASH = "sha256:5d5b7bb43fd1bd9fa9ac5c54a6b7ed1a8a1c08a9a0b4a07f2dbf4e6f0e7a1b2c";
const TOML = `
[server.auth]
tokens_file = "tokens.json"
tokens = [
  { name = "both", role = "admin", token = "${CONFIG_TOKEN}", jobs = ["shop-*"] },
  { name = "hashed", role = "viewer", hash = "${HASH}" },
]
[node]
tags = ["vault"]
[jobs.shop-sum]
command = ["true"]
schedule = "0 0 1 1 *"
[jobs.shop-fails]
command = ["false"]
[jobs.payroll]
command = ["false"]
needs = "vault"
schedule = "0 0 1 1 *"
[jobs.shows-token]
run = "cat token"
cwd = "."
[jobs.payroll-once]
command = ["true"]
unique = "arguments"
`;

let daemon: Daemon;
let admin: JobClient;
const clients: JobClient[] = [];

before(async () => {
  daemon = await startDaemon({ toml: TOML });
  admin = daemon.client();
});

after(async () => {
  for (const client of clients) client.close();
  await daemon.stop();
});

function clientOf(token: string): JobClient {
  const client = connect({ host: "127.0.0.1", port: daemon.port, socket: null, token });
  clients.push(client);
  return client;
}

async function newToken(...args: readonly string[]): Promise<string> {
  const run = await daemon.jobctl(["token", "new", ...args, "-o", "name"]);
  assert.equal(run.code, 0, run.stderr);
  return run.stdout.trim();
}

async function refused(promise: Promise<unknown>, code: "unauthenticated" | "unavailable") {
  await assert.rejects(promise, (error) => isJobError(error, code) || assert.fail(String(error)));
}

test("a token that jobctl token makes counts at once, and its file has no token", async () => {
  const token = await newToken("made", "--role", "viewer");
  assert.equal((await clientOf(token).getVersion()).apiVersion, "v1");
  const text = readFileSync(join(daemon.dir, "tokens.json"), "utf8");
  assert.ok(!text.includes(token) && text.includes("sha256:"));
});

test("a token that is revoked loses its open stream too", async () => {
  const client = clientOf(await newToken("gone", "--role", "viewer"));
  const steps = client.follow({})[Symbol.asyncIterator]();
  const ended = (async () => {
    while (!(await steps.next()).done);
  })();
  await client.getVersion();
  const run = await daemon.jobctl(["token", "revoke", "gone", "--yes"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(JSON.parse(run.stdout).name, "gone");
  await refused(ended, "unavailable");
  // The listeners' thread tells the log by way of the manager's.
  for (const change of ["added", "revoked"]) {
    const line = new RegExp(`INFO +Tokens were .* ${change}=\\S*\\bgone\\b`);
    await until(`the log has who was ${change}`, () => line.test(daemon.log()));
  }
  assert.ok(!daemon.log().includes("sha256:"));
  await assert.rejects(client.getVersion(), (error) => {
    assert.ok(isJobError(error, "unauthenticated"));
    // Whoever stole it learns neither its name nor that it was found out.
    assert.doesNotMatch(`${error.message} ${error.hint}`, /gone|revoke/);
    return true;
  });
  await until("the log names it", () => /the token \S*gone\S* was revoked/.test(daemon.log()));
});

test("a job cannot show the token in the daemon's file, even after it is replaced", async () => {
  const shown = async () => {
    const { uuid } = (await admin.scheduleJob({ kind: "shows-token" })).instance!;
    await admin.waitInstance({ uuid, waitMs: 10_000n });
    const { entries } = await admin.lookupInstanceLogs({ query: { uuid } });
    return entries.map(({ message }) => message);
  };
  assert.deepEqual(await shown(), ["***"]);
  const path = join(daemon.dir, "token");
  const first = readFileSync(path, "utf8");
  const second = "replaced-token-of-the-daemon";
  writeFileSync(path, second);
  await clientOf(second).getVersion();
  assert.deepEqual(await shown(), ["***"]);
  writeFileSync(path, first);
});

test("a token of the configuration goes at SIGHUP, and what it had open", async () => {
  const client = clientOf(CONFIG_TOKEN);
  await client.getVersion();
  const path = join(daemon.dir, "config.toml");
  const before = readFileSync(path, "utf8");
  const reloads = () => daemon.log().split("The config was reloaded").length;
  const reload = async (text: string) => {
    const count = reloads();
    writeFileSync(path, text);
    daemon.signal("SIGHUP");
    while (reloads() === count) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await reload(before.replace(CONFIG_TOKEN, "another-token-0123456789"));
  await assert.rejects(client.getVersion());
  await refused(clientOf(CONFIG_TOKEN).getVersion(), "unauthenticated");
  await reload(before);
  assert.equal((await clientOf(CONFIG_TOKEN).getVersion()).apiVersion, "v1");
});

test("a hash is no token", async () => {
  await refused(clientOf(HASH).getVersion(), "unauthenticated");
  await refused(clientOf(HASH.slice("sha256:".length)).getVersion(), "unauthenticated");
});

test("a file of tokens that others can read is not taken over", async () => {
  const path = join(daemon.dir, "tokens.json");
  const token = await newToken("late", "--role", "viewer");
  assert.equal((await clientOf(token).getVersion()).apiVersion, "v1");
  chmodSync(path, 0o644);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replaceAll('"viewer"', '"admin"'));
  // A token that is not known has the file looked at.
  while (!/tokens\.json.*other users can read it/.test(daemon.log())) {
    await refused(clientOf("unknown-token-0123456789").getVersion(), "unauthenticated");
  }
  await assert.rejects(
    clientOf(token).resizeWorkers({ count: 1 }),
    (error) => isJobError(error, "permission_denied"),
  );
  writeFileSync(path, text);
  chmodSync(path, 0o600);
});

test("a token for some jobs sees and does nothing of the others, by any method", async () => {
  const nextDay = BigInt(Math.floor(Date.now() / 1_000) + 86_400);
  const hidden = (await admin.scheduleJob({ kind: "payroll" })).instance!;
  const later = { kind: "payroll", uniqueKey: "taken", afterMs: 3_600_000n };
  const waiting = (await admin.scheduleJob(later)).instance!;
  await admin.waitInstance({ uuid: hidden.uuid, waitMs: 5_000n });
  await admin.scheduleJob({ kind: "shop-fails" });
  await admin.pause({ kind: "payroll" });
  await admin.setSilence({ kind: "payroll", until: { seconds: nextDay } });
  const { schedules } = await admin.listSchedules({ kind: "payroll" });
  const scheduleId = schedules[0]!.id;
  const scoped = clientOf(CONFIG_TOKEN);
  const query = { uuid: hidden.uuid };
  const calls: Record<string, readonly object[]> = {
    getVersion: [{}],
    scheduleJob: [
      { kind: "payroll" },
      { kind: "payroll", dryRun: true },
      { kind: "payroll", cron: "@daily" },
      { kind: "shop-sum", uuid: hidden.uuid },
    ],
    listRegisteredJobs: [{}],
    lookupInstances: [
      {},
      { query },
      { query: { kind: "payroll" } },
      { query: { scheduleId } },
      {
        query: { uniqueKey: "payroll taken" },
      },
      { query: { tag: "vault" } },
      { query: { tag: "vaul" } },
    ],
    cancelInstances: [
      { query: { tag: "vault" } },
      { query: { tag: "vault" }, all: true },
      {
        query: { tag: "vault", kind: "shop-sum" },
      },
      { query: { uuid: waiting.uuid } },
      { query: { uniqueKey: "payroll taken" } },
      {
        query: { kind: "payroll" },
      },
      { all: true },
    ],
    scheduleJobs: [{ requests: [{ kind: "shop-sum" }, { kind: "payroll" }] }],
    getJob: [{ kind: "payroll" }],
    getInstance: [query, { uuid: hidden.uuid.slice(0, 8) }, { uuid: hidden.uuid.slice(0, 30) }],
    waitInstance: [{ ...query, waitMs: 10n }],
    retryInstance: [query],
    signalInstance: [
      { ...query, name: "go" },
      { kind: "payroll", uniqueKey: "x", name: "go" },
      { uuid: hidden.uuid.slice(0, 8), name: "go" },
    ],
    listSteps: [query, { uuid: hidden.uuid.slice(0, 8) }],
    freezeInstance: [query, { ...query, thaw: true }],
    redriveInstances: [{ query: { tag: "vault" } }, { query }, { query: { kind: "payroll" } }, {
      all: true,
    }],
    lookupInstanceHistory: [{}, { query }, { query: { kind: "payroll" } }],
    lookupInstanceLogs: [{}, { query }, { query: { kind: "payroll" } }],
    follow: [{}, { query }, { query: { kind: "payroll" } }],
    listSchedules: [{}, { kind: "payroll" }, { pageSize: 1 }],
    runSchedule: [{ kind: "payroll" }, { kind: "shop-sum", scheduleId }],
    skipTicks: [{ kind: "payroll", count: 1 }, { kind: "shop-sum", scheduleId, count: 1 }],
    backfill: [{
      kind: "shop-sum",
      scheduleId,
      from: { seconds: 1_700_000_000n },
      to: { seconds: 1_790_000_000n },
    }],
    explain: [{}, query, { kind: "payroll" }, { scheduleId }, { at: { seconds: 1_798_761_600n } }],
    pause: [{}, { kind: "payroll" }],
    resume: [{}, { kind: "payroll" }],
    listPauses: [{}],
    updateSchedule: [{ id: scheduleId, cron: "@daily" }],
    deleteSchedule: [{ id: scheduleId }],
    getWorkers: [{}],
    resizeWorkers: [{ count: 0 }],
    getStatus: [{}],
    listNodes: [{}],
    reloadConfig: [{}, { force: true }],
    stopDaemon: [{}, { now: true }],
    upgradeDaemon: [{}],
    getConfig: [{}],
    getStore: [{}],
    workOnStore: [{ work: "info" }, { work: "backup" }, { work: "gc" }],
    listIncidents: [{}, { kind: "payroll" }, { withClosed: true }, { pageSize: 1 }],
    acknowledgeIncident: [{ type: "job", name: "payroll" }, { type: "node", name: "vm" }],
    setSilence: [{ kind: "payroll", until: { seconds: nextDay } }, {
      ...{ all: true, until: { seconds: nextDay } },
    }],
    removeSilence: [{ kind: "payroll" }, { all: true }],
    listSilences: [{}],
    listChannels: [{}],
    testNotice: [{ channel: "ops" }, { channel: "ops", dryRun: true }],
    reportRun: [{ kind: "payroll", event: "success" }, { kind: "payroll", event: "start" }],
    getPingKey: [{ kind: "payroll" }],
    calendar: [{}, { kinds: ["payroll"] }],
    countInstances: [{}, { query: { tag: "vault" } }, { query }, { query: { kind: "payroll" } }],
    forecast: [{}, { kinds: ["payroll"] }],
    getJobStats: [{ kind: "payroll" }],
    getSchedule: [{ id: scheduleId }, { id: scheduleId.slice(0, 8) }],
    listUpcoming: [{}, { kind: "payroll" }],
    lookupTimeline: [{}, { kinds: ["payroll"] }],
    watch: [{}, { kind: "payroll" }],
    getCaller: [{}],
    createLoginCode: [{}],
    listSessions: [{}],
    revokeSessions: [{ all: true }, { id: "0000" }],
  };
  assert.deepEqual(
    Object.keys(calls).sort(),
    JobService.methods.map(({ localName }) => localName).sort(),
    "every method is tried",
  );
  for (const [method, requests] of Object.entries(calls)) {
    for (const request of requests) {
      const answer = await answerOf(scoped, method, request);
      const { nextPageToken = "" } = (answer ?? {}) as { readonly nextPageToken?: string };
      const shown = JSON.stringify(answer, (_, value) => typeof value === "bigint" ? 0 : value) +
        Buffer.from(nextPageToken, "base64url").toString();
      const asked = JSON.stringify(request, (_, value) => typeof value === "bigint" ? 0 : value);
      for (const secret of ["payroll", hidden.uuid, waiting.uuid, scheduleId]) {
        // What the caller said himself may be said of it.
        if (asked.includes(secret)) continue;
        if (secret === hidden.uuid && asked.includes(hidden.uuid.slice(0, 8))) continue;
        assert.ok(!shown.includes(secret), `${method} ${asked} tells of ${secret}: ${shown}`);
      }
    }
  }
  const { instances } = await admin.lookupInstances({ query: { kind: "payroll" } });
  const states = instances.map(({ uuid, state }) => [uuid, state]);
  assert.deepEqual(states, [[waiting.uuid, JobState.SCHEDULED], [
    hidden.uuid,
    JobState.TERMINATED,
  ]]);
  assert.equal((await admin.listSchedules({ kind: "payroll" })).schedules[0]?.skipNext, 0);
  const pauses = (await admin.listPauses()).pauses.map(({ kind }) => kind);
  assert.deepEqual(pauses, ["payroll"], "neither resumed nor more was paused");
  const silences = (await admin.listSilences({})).silences.map(({ kind }) => kind);
  assert.deepEqual(silences, ["payroll"], "neither ended nor more was silenced");
});

test("a token for some jobs does not take the key by which another job is unique", async () => {
  const scoped = clientOf(CONFIG_TOKEN);
  const key = { kind: "shop-sum", uniqueKey: "payroll-once arguments=[]", afterMs: 3_600_000n };
  const own = (await scoped.scheduleJob(key)).instance!;
  assert.equal(own.uniqueKey, `shop-sum ${key.uniqueKey}`);
  const { instance } = await admin.scheduleJob({ kind: "payroll-once" });
  assert.equal(instance?.uniqueKey, key.uniqueKey);
  assert.notEqual(instance.uuid, own.uuid);
});

test("a token for some jobs can use those", async () => {
  const scoped = clientOf(CONFIG_TOKEN);
  const { schedules, nextPageToken } = await scoped.listSchedules({ pageSize: 1 });
  assert.deepEqual(schedules.map(({ kind }) => kind), ["shop-sum"]);
  const rest = nextPageToken === undefined
    ? []
    : (await scoped.listSchedules({ pageToken: nextPageToken })).schedules;
  assert.deepEqual(rest, []);
  const mine = await scoped.scheduleJob({ kind: "shop-sum", uniqueKey: "order 15" });
  assert.equal(mine.instance?.uniqueKey, "shop-sum order 15");
  const { jobs } = await scoped.listRegisteredJobs();
  assert.deepEqual(jobs.map(({ kind }) => kind).sort(), ["shop-fails", "shop-sum"]);
  const { uuid } = (await scoped.scheduleJob({ kind: "shop-sum" })).instance!;
  const waited = await scoped.waitInstance({ uuid: uuid.slice(0, 30), waitMs: 5_000n });
  assert.equal(waited.instance?.state, JobState.COMPLETED);
  assert.equal((await scoped.lookupInstanceHistory({ query: { uuid } })).entries.length > 0, true);
  assert.deepEqual(
    (await scoped.lookupInstances({})).instances.map(({ kind }) => kind.slice(0, 5)),
    (await scoped.lookupInstances({})).instances.map(() => "shop-"),
  );
  assert.ok((await scoped.getStatus()).kinds.some(({ kind }) => kind === "shop-sum"));
  const steps = [];
  for await (const step of scoped.follow({ query: { uuid } })) steps.push(step.instance?.uuid);
  assert.ok(steps.includes(uuid));
});

/**
 * What a call comes to: its answer, the first messages of its stream, or the error as a client is
 * told it.
 */
async function answerOf(client: JobClient, method: string, request: object): Promise<unknown> {
  const call = client[method as "getVersion"] as unknown as (request: object) => unknown;
  try {
    if (method !== "follow" && method !== "watch" && method !== "workOnStore") {
      return await call(request);
    }
    const abort = new AbortController();
    const stream = client[method as "follow"];
    for await (const message of stream(request, { signal: abort.signal })) {
      abort.abort();
      return message;
    }
    return null;
  } catch (error) {
    assert.ok(isJobError(error), String(error));
    return [error.code, error.message, error.hint];
  }
}

test("a token that is given is used where the daemon's default socket exists", async () => {
  const own = await startDaemon({
    toml:
      `[server.auth]\ntokens_file = "tokens.json"\n[jobs.asks]\ncommand = ["${JOBCTL}", "get", "version", "--port"]\nparams = "port: number"\n`,
    // The default socket and the default token file, of a port that is its own.
    env: { JOBCTL_SERVER_SOCKET: undefined, JOBCTL_SERVER_AUTH_TOKEN_FILE: undefined },
  });
  const env = { JOBCTL_SOCKET: undefined, JOBCTL_TOKEN_FILE: undefined };
  const jobctl = (args: readonly string[], more = {}) =>
    own.jobctl(args, { env: { ...env, ...more } });
  try {
    const made = await jobctl(["token", "new", "v", "--role", "viewer", "-o", "name"]);
    assert.equal(made.code, 0, made.stderr);
    const token = made.stdout.trim();
    const file = join(own.dir, "viewer");
    writeFileSync(file, token, { mode: 0o600 });
    const scale = ["workers", "scale", "2"];
    for (
      const [args, more] of [
        [["--token-file", file], {}],
        [["--token", token], {}],
        [["--socket", "none", "--token", token], {}],
        [[], { JOBCTL_TOKEN: token }],
        [[], { JOBCTL_TOKEN_FILE: file }],
      ] as const
    ) {
      assert.equal((await jobctl([...args, "list", "jobs"], more)).code, 0, args.join(" "));
      const refused = await jobctl([...args, ...scale], more);
      assert.equal(refused.code, 5, `${args.join(" ")} ${refused.stderr}`);
    }
    assert.equal((await jobctl(scale)).code, 0);
    const viewer = connect({ port: own.port, token });
    clients.push(viewer);
    await assert.rejects(viewer.cancelInstances({ all: true }), (error) => {
      return isJobError(error, "permission_denied");
    });
    // Without a token the socket is used, also by what a job runs.
    const asked = await jobctl(["schedule", "asks", String(own.port), "--wait"]);
    assert.equal(asked.code, 0, asked.stdout + asked.stderr);
  } finally {
    await own.stop();
  }
});
