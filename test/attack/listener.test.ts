// Another user listens on the daemon's port while the daemon is down, and waits for its token.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";
import type { Daemon } from "../support/processes/daemon.ts";
import { FOREIGN_UID, foreignListener, NEEDS_ROOT } from "../support/processes/foreign_user.ts";

const RUN_DIR = "/run/jobctl";
const ON_DEFAULTS = {
  JOBCTL_SERVER_HTTP: "",
  JOBCTL_SERVER_SOCKET: undefined,
  JOBCTL_SERVER_AUTH_TOKEN_FILE: undefined,
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

let port = 0;
let daemon: Daemon | null = null;

before(async () => {
  if (NEEDS_ROOT) return;
  port = await freePort();
  daemon = await startDaemon({
    toml: `[jobs.shows]\nrun = "cat ${RUN_DIR}/jobctl-${port}.token"`,
    env: { ...ON_DEFAULTS, JOBCTL_SERVER_PORT: String(port) },
  });
});

after(async () => {
  await daemon?.stop({ force: true });
  for (const end of ["sock", "token"]) rmSync(`${RUN_DIR}/jobctl-${port}.${end}`, { force: true });
});

const list = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
  runJobctl(["list", "jobs", ...args], { env: { JOBCTL_PORT: String(port), ...env } });

test("a job cannot show the token that the daemon created", { skip: NEEDS_ROOT }, async () => {
  const client = daemon!.client();
  const { instance } = await client.scheduleJob({ kind: "shows" });
  const { uuid } = (await client.waitInstance({ uuid: instance!.uuid, waitMs: 10_000n })).instance!;
  const { entries } = await client.lookupInstanceLogs({ query: { uuid } });
  assert.deepEqual(entries.map(({ message }) => message), ["***"]);
});

test("each start of the daemon makes a new default token", { skip: NEEDS_ROOT }, async () => {
  const tokenFile = `${RUN_DIR}/jobctl-${port}.token`;
  const first = readFileSync(tokenFile, "utf8");
  await daemon!.kill();
  daemon = await daemon!.restart();
  const second = readFileSync(tokenFile, "utf8");
  assert.notEqual(second, first);
  const old = await list([], { JOBCTL_SOCKET: "none", JOBCTL_TOKEN: first.trim() });
  assert.equal(old.code, 5, old.stderr);
  const current = await list([], { JOBCTL_SOCKET: "none" });
  assert.equal(current.code, 0, current.stderr);
  await daemon.kill();
  assert.ok(existsSync(tokenFile), "the attack below needs a token that is left behind");
});

for (
  const [what, args, env] of [
    ["the token of the daemon's own file", [], {}],
    ["a token of the environment", [], { JOBCTL_TOKEN: "environment-token" }],
    ["a token of the command line", ["--token", "argument-token"], {}],
    ["a token to the name localhost", ["--host", "localhost", "--token", "argument-token"], {}],
    ["a token when no socket is wanted", [], { JOBCTL_SOCKET: "none" }],
  ] as const
) {
  test(
    `jobctl sends nothing to another user's listener: ${what}`,
    { skip: NEEDS_ROOT },
    async () => {
      await daemon!.kill();
      const listener = await foreignListener(port);
      try {
        const run = await list(args, env);
        assert.equal(listener.heard().bytes, 0);
        assert.equal(run.code, 7, run.stderr);
        assert.match(run.stderr, /nobody/);
        assert.match(run.stderr, /65534/);
      } finally {
        await listener.end();
      }
    },
  );
}

test(
  "jobctl sends nothing to a listener that does not accept its connections",
  { skip: NEEDS_ROOT },
  async () => {
    await daemon!.kill();
    const listener = await foreignListener(port);
    try {
      listener.freeze();
      const run = await list(["--call-timeout", "1s"]);
      assert.equal(run.code, 7, run.stderr);
      await listener.thaw();
      assert.deepEqual(listener.heard(), { connections: 1, bytes: 0 });
    } finally {
      await listener.end();
    }
  },
);

test(
  "jobctl passes another user's listener on ::1 by and reaches the daemon on 127.0.0.1",
  { skip: NEEDS_ROOT },
  async () => {
    daemon = await daemon!.restart();
    const listener = await foreignListener(port, "::1");
    try {
      const there = await list([], { JOBCTL_HOST: "::1", JOBCTL_SOCKET: "none" });
      assert.equal(there.code, 7, there.stderr);
      const run = await list([], { JOBCTL_HOST: "localhost", JOBCTL_SOCKET: "none" });
      assert.equal(run.code, 0, run.stderr);
      assert.equal(listener.heard().bytes, 0);
    } finally {
      await listener.end();
    }
  },
);

test("jobctl takes another user's daemon when told whose it is", { skip: NEEDS_ROOT }, async () => {
  const listener = await foreignListener(0);
  const args = ["list", "jobs", "--port", String(listener.port), "--token", "argument-token"];
  try {
    const other = await runJobctl([...args, "--daemon-user", "daemon"]);
    assert.equal(other.code, 7, other.stderr);
    assert.equal(listener.heard().bytes, 0);
    const told = await runJobctl([...args, "--daemon-user", "nobody", "--call-timeout", "1s"]);
    assert.notEqual(told.code, 0);
    assert.ok(listener.heard().bytes > 0, told.stderr);
  } finally {
    await listener.end();
  }
});

test("wrap sends no key of a ping to another user on this machine, and keeps the report", {
  skip: NEEDS_ROOT,
}, () =>
  withTempDir({}, async ({ path: JOBCTL_SPOOL }) => {
    const listener = await foreignListener(0);
    try {
      const url = `http://127.0.0.1:${listener.port}/ping/a-key-of-the-test-only`;
      const wrap = (...args: string[]) =>
        runJobctl(["wrap", "backup", "--url", url, ...args, "--", "echo", "ran"], {
          env: { JOBCTL_SPOOL },
        });
      const { code, stdout } = await wrap();
      assert.deepEqual([code, stdout], [0, "ran\n"]);
      const env = { JOBCTL_SPOOL };
      const flushed = await runJobctl(["wrap", "--flush", "--url", url], { env });
      assert.match(
        flushed.stderr,
        /Nothing was sent to 127\.0\.0\.1:\d+: user .*65534.* listens there/,
      );
      assert.deepEqual([listener.heard().connections > 0, listener.heard().bytes], [true, 0]);
      assert.equal(readdirSync(JOBCTL_SPOOL).length, 1);
      await wrap("--daemon-user", String(FOREIGN_UID));
      assert.ok(listener.heard().bytes > 100);
    } finally {
      await listener.end();
    }
  }));
