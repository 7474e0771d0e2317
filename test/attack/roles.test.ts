import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { type Daemon, type RunResult, startDaemon } from "../support/daemon.ts";

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
    const own = await daemon.jobctl(["workers", "scale", "2"]);
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
  const daemon = await startDaemon({ toml: '[store.targets]\nnew = "sqlite:data/new.db"\n' });
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
    const moved = await daemon.jobctl(["store", "migrate", "--to", "new", "--yes"]);
    assert.equal(moved.code, 0, moved.stderr);
    assert.ok(existsSync(join(dir, "data", "new.db")));
  } finally {
    await daemon.stop({ force: true });
  }
});
