import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
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
