import assert from "node:assert/strict";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { type Role, ROLES } from "../../src/rpc/auth/auth.ts";
import { connect, type JobClient } from "../../src/rpc/client/client.ts";
import { METHOD_RULES } from "../../src/rpc/gen/method_rules.ts";
import { type Daemon, type RunResult, startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

/** An unprivileged user of every Debian, and the group that is given the socket. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const needsRoot = process.getuid?.() === 0 ? {} : { skip: "it takes the place of another user" };

function asMember(daemon: Daemon, args: readonly string[]): Promise<RunResult> {
  const socket = join(daemon.dir, "jobctl.sock");
  const env = { JOBCTL_SOCKET: socket, JOBCTL_TOKEN_FILE: undefined, HOME: "/" };
  return daemon.jobctl(args, { env, as: NOBODY, cwd: "/" });
}

test("a member of socket_group is an operator, and root an admin", needsRoot, async () => {
  const daemon = await startDaemon({
    toml: `[server]\nsocket_group = "${NOBODY.gid}"\n[jobs.hello]\ncommand = ["echo", "hello"]\n`,
  });
  try {
    const ran = await asMember(daemon, ["schedule", "hello", "--wait"]);
    assert.equal(ran.code, 0, ran.stderr);
    for (
      const args of [
        ["workers", "scale", "0"],
        ["store", "verify"],
        ["store", "gc"],
        ["store", "migrate", "--undo", "--yes"],
      ]
    ) {
      const refused = await asMember(daemon, args);
      assert.notEqual(refused.code, 0, args.join(" "));
      assert.match(refused.stderr, /its role is operator, admin is needed/);
    }
    const own = await daemon.ask(["workers", "scale", "2"]);
    assert.equal(own.code, 0, own.stderr);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("nobody but its owner opens the socket without a socket_group", needsRoot, async () => {
  const daemon = await startDaemon();
  try {
    const refused = await asMember(daemon, ["status"]);
    assert.notEqual(refused.code, 0);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("an admin loads no module, makes no file and names no server by a move of the store", async () => {
  const daemon = await startDaemon();
  try {
    const { dir } = daemon;
    const planted = join(dir, "planted");
    const module = join(dir, "evil.ts");
    writeFileSync(
      module,
      `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(planted)}, "");`,
    );
    const before = readdirSync(dir);
    const move = async (request: { readonly to: string; readonly prefix?: string }) => {
      const client = daemon.client();
      for await (const _ of client.workOnStore({ work: "migrate", ...request }));
    };
    const urls = [
      module,
      "evil.ts",
      "./evil.ts",
      `sqlite:${planted}`,
      "sqlite:../planted",
      "valkey://127.0.0.1:1",
      "etcd://127.0.0.1:1",
      "memory:",
      "__proto__",
      "constructor",
      "NEW",
      "new\0",
    ];
    for (const to of urls) {
      await assert.rejects(move({ to }), (error) => isJobError(error, "not_found"), to);
    }
    await assert.rejects(
      move({ to: "new", prefix: "others" }),
      (error) => isJobError(error, "invalid_argument"),
    );
    assert.ok(!existsSync(planted));
    assert.deepEqual(readdirSync(dir), before);
    const refused = await daemon.jobctl(["store", "migrate", "--to", module, "--yes"]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /\[store\.targets\].*--config FILE/);
    // Who writes the configuration may name one, without a restart.
    await assert.rejects(move({ to: "new" }), (error) => isJobError(error, "not_found"));
    appendFileSync(join(dir, "config.toml"), '[store.targets]\nnew = "sqlite:data/new.db"\n');
    daemon.signal("SIGHUP");
    await until(
      "the configuration is reloaded",
      () => daemon.log().includes("The config was reloaded"),
    );
    const moved = await daemon.jobctl(["store", "migrate", "--to", "new", "--yes"]);
    assert.equal(moved.code, 0, moved.stderr);
    assert.ok(existsSync(join(dir, "data", "new.db")));
  } finally {
    await daemon.stop({ force: true });
  }
});

const TOKENS: Readonly<Record<Exclude<Role, "admin">, string>> = {
  viewer: "a-viewer-of-the-wall-board",
  operator: "an-operator-who-wants-more",
};

/** `tokens` of a configuration with a token of each role. */
const AUTH = `[server.auth]\ntokens = [${
  Object.entries(TOKENS).map(([role, token]) =>
    `{ name = "${role}", role = "${role}", token = "${token}" }`
  ).join(", ")
}]\n`;

async function withClient(
  daemon: Daemon,
  token: string,
  body: (client: JobClient) => Promise<void>,
): Promise<void> {
  const client = connect({ port: daemon.port, socket: null, token });
  try {
    await body(client);
  } finally {
    client.close();
  }
}

test("viewers and operators are refused every method that asks for more", async () => {
  const daemon = await startDaemon({ toml: `${AUTH}[jobs.hello]\nrun = "true"\n` });
  try {
    for (const [role, token] of Object.entries(TOKENS) as [Role, string][]) {
      await withClient(daemon, token, async (client) => {
        for (const [method, { role: needed }] of Object.entries(METHOD_RULES)) {
          const name = method as keyof JobClient;
          const isAllowed = ROLES.indexOf(needed) <= ROLES.indexOf(role);
          if (isAllowed) continue;
          const answer = (client[name] as (request: object) => unknown)({});
          const called = Symbol.asyncIterator in (answer as object)
            ? (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]().next()
            : answer as Promise<unknown>;
          const isRefused = (error: unknown) => isJobError(error, "permission_denied");
          await assert.rejects(called, isRefused, `${role} ${name}`);
        }
        await assert.rejects(
          client.scheduleJob({ kind: "hello", cron: "* * * * * *" }),
          (error) => isJobError(error, "permission_denied"),
        );
      });
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("an operator runs commands with what they declare, and no program of his own", async () => {
  const daemon = await startDaemon({
    toml: `${AUTH}
[jobs.save]
command = ["tar", "cf", "/dev/null", "/etc/hostname"]
cwd = "."
[jobs.pack]
command = ["tar", "cf", "/dev/null"]
params = "path: string, ...more: string[]"
cwd = "."
[jobs.show]
run = 'printf "%s|" "$1" "$JOB_ARG_text" > shown'
params = "text: string"
cwd = "."
[jobs.read]
command = ["wc", "-c"]
params = "text: string"
stdin = { arg = "text" }
`,
  });
  const planted = join(daemon.dir, "planted");
  const evil = [`--checkpoint=1`, `--checkpoint-action=exec=touch ${planted}`];
  try {
    await withClient(daemon, TOKENS.operator, async (client) => {
      const attempts = [
        { kind: "save", arguments: evil },
        { kind: "save", arguments: ["/etc/passwd"] },
        { kind: "save", argumentsJson: JSON.stringify({ arguments: evil }) },
        { kind: "save", argumentsJson: JSON.stringify({ LD_PRELOAD: "/tmp/evil.so" }) },
        { kind: "pack", arguments: [evil[1]!] },
        { kind: "pack", arguments: ["/etc/hostname", ...evil] },
        { kind: "pack", argumentsJson: JSON.stringify({ path: evil[1] }) },
        { kind: "pack", argumentsJson: JSON.stringify({ path: "/etc", more: evil }) },
        { kind: "pack", arguments: ["/etc/hostname"], argumentsJson: JSON.stringify(evil) },
        { kind: "pack", argumentsJson: JSON.stringify({ path: "/etc", env: { PATH: "/tmp" } }) },
        { kind: "../jobs/evil", arguments: [] },
      ];
      const isRefused = (error: unknown) =>
        isJobError(error, "invalid_argument") || isJobError(error, "not_found");
      for (const request of attempts) {
        const text = JSON.stringify(request);
        await assert.rejects(client.scheduleJob(request), isRefused, text);
        await assert.rejects(client.scheduleJobs({ requests: [request] }), isRefused, text);
      }
      const spliced = `$(touch ${planted})\`touch ${planted}\`"; touch ${planted}; echo '\n& *`;
      for (const [kind, text] of [["show", spliced], ["read", evil[1]!]] as const) {
        const { instance } = await client.scheduleJob({ kind, arguments: [text] });
        const ended = await client.waitInstance({ uuid: instance!.uuid, waitMs: 20_000n });
        assert.equal(ended.instance!.reason, "ok", JSON.stringify(ended.instance!.error));
      }
      assert.equal(readFileSync(join(daemon.dir, "shown"), "utf8"), `${spliced}|${spliced}|`);
    });
    assert.ok(!existsSync(planted));
  } finally {
    await daemon.stop({ force: true });
  }
});

test("lists of jobs that differ only in blanks are lists of different callers", async () => {
  const tokens = [["one-list-of-one-job", ["a b"]], ["another-list-of-two", ["a", "b"]]] as const;
  const auth = tokens.map(([token, jobs]) =>
    `{ name = "${token}", role = "operator", token = "${token}", jobs = ${JSON.stringify(jobs)} }`
  );
  const jobs = ["a", "b", "a b"].map((kind) => `[jobs."${kind}"]\nrun = "true"\n`).join("");
  const daemon = await startDaemon({
    toml: `[server.auth]\ntokens = [${auth.join(", ")}]\n${jobs}`,
  });
  try {
    for (const [token, own] of tokens) {
      await withClient(daemon, token, async (client) => {
        const { jobs } = await client.listRegisteredJobs({});
        assert.deepEqual(jobs.map(({ kind }) => kind).sort(), own);
        for (const kind of own) {
          await client.scheduleJob({ kind });
          // Such reads are answered by the other thread.
          const { instances } = await client.lookupInstances({ query: { kind } });
          assert.equal(instances.length, 1);
        }
      });
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("no error tells a caller limited to some jobs which other jobs there are", async () => {
  const token = "an-operator-of-the-shop";
  const entry = `{ name = "shop", role = "operator", token = "${token}", jobs = ["shop-*"] }`;
  const daemon = await startDaemon({
    toml: `[server.auth]\ntokens = [${entry}]\n[jobs.payroll]\nrun = "true"\n`,
  });
  try {
    await withClient(daemon, token, async (client) => {
      const kind = "shop-none";
      const calls = [
        () => client.getJob({ kind }),
        () => client.scheduleJob({ kind }),
        () => client.scheduleJobs({ requests: [{ kind }] }),
        () => client.explain({ kind }),
        () => client.pause({ kind }),
        () => client.runSchedule({ kind }),
        () => client.skipTicks({ kind, count: 1 }),
      ];
      for (const call of calls) {
        await assert.rejects(call(), (error) => {
          assert.ok(isJobError(error, "not_found"), String(error));
          assert.doesNotMatch(`${error.message} ${error.hint}`, /payroll/, String(call));
          return true;
        });
      }
    });
  } finally {
    await daemon.stop({ force: true });
  }
});
