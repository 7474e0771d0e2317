// Another user was first to make the folder, the token or the socket that a daemon and its clients
// look for.
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runJobctl } from "../support/processes/daemon.ts";
import {
  FOREIGN_UID,
  foreignListener,
  NEEDS_ROOT,
  runAsForeign,
} from "../support/processes/foreign_user.ts";

/**
 * The user who plants; the victim is {@link FOREIGN_UID}, a user without a runtime folder of the
 * system.
 */
const ATTACKER_UID = 65_533;
const PLANTED = "planted-token-of-the-attacker";

/** A folder like /tmp, in which the victim's daemon has a folder of its own. */
async function withShared(body: (shared: string, own: string) => Promise<void>): Promise<void> {
  const shared = mkdtempSync(join(tmpdir(), "jobctl-planted-"));
  try {
    chmodSync(shared, 0o1777);
    const own = join(shared, "victim");
    mkdirSync(own, { mode: 0o700 });
    chownSync(own, FOREIGN_UID, FOREIGN_UID);
    writeFileSync(join(own, "config.toml"), "");
    await body(shared, own);
  } finally {
    rmSync(shared, { recursive: true, force: true });
  }
}

function serve(shared: string, own: string, env: Readonly<Record<string, string>> = {}) {
  return runAsForeign(["serve", "--config", "config.toml"], {
    cwd: own,
    env: {
      TMPDIR: shared,
      JOBCTL_SERVER_PORT: "59999",
      JOBCTL_SERVER_HTTP: "",
      JOBCTL_STORE_URL: "memory:",
      ...env,
    },
  });
}

function plantFolder(path: string, uid: number, mode: number): void {
  mkdirSync(path);
  chmodSync(path, mode);
  const token = join(path, "jobctl-59999.token");
  writeFileSync(token, PLANTED, { mode: 0o600 });
  for (const each of [path, token]) chownSync(each, uid, uid);
}

for (
  const [what, plant, found] of [
    [
      "belongs to another user",
      (path: string) => plantFolder(path, ATTACKER_UID, 0o777),
      /belongs to user 65533/,
    ],
    [
      "is a link to another user's folder",
      (path: string) => {
        plantFolder(`${path}-there`, ATTACKER_UID, 0o755);
        symlinkSync(`${path}-there`, path);
      },
      // The link is root's here, so that only the rule on links can refuse it.
      /symbolic link/,
    ],
    [
      "may be written to by everybody",
      (path: string) => plantFolder(path, FOREIGN_UID, 0o777),
      /every user can write to it \(mode 0777\)/,
    ],
    [
      "may be written to by its group",
      (path: string) => plantFolder(path, FOREIGN_UID, 0o770),
      /its group can write to it \(mode 0770\)/,
    ],
  ] as const
) {
  test(
    `a daemon does not start when its runtime folder ${what}`,
    { skip: NEEDS_ROOT },
    async () => {
      await withShared(async (shared, own) => {
        const folder = join(shared, `jobctl-${FOREIGN_UID}`);
        plant(folder);
        const run = await serve(shared, own);
        assert.notEqual(run.code, 0);
        assert.notEqual(run.code, -1, "it was still running");
        assert.match(run.stderr, found);
        assert.ok(run.stderr.includes(folder), run.stderr);
      });
    },
  );
}

for (
  const [what, mode, uid, found] of [
    ["belongs to another user", 0o600, ATTACKER_UID, /belongs to user 65533/],
    ["may be read by everybody", 0o644, FOREIGN_UID, /every user can read it \(mode 0644\)/],
    ["may be written to by everybody", 0o602, FOREIGN_UID, /every user can write to it/],
  ] as const
) {
  test(`a daemon refuses a token file that ${what}`, { skip: NEEDS_ROOT }, async () => {
    await withShared(async (shared, own) => {
      const path = join(own, "token");
      writeFileSync(path, PLANTED);
      chmodSync(path, mode);
      chownSync(path, uid, uid);
      const run = await serve(shared, own, { JOBCTL_SERVER_AUTH_TOKEN_FILE: path });
      assert.notEqual(run.code, 0);
      assert.notEqual(run.code, -1, "it was still running");
      assert.match(run.stderr, found);
      assert.ok(run.stderr.includes(path), run.stderr);
    });
  });
}

for (const key of ["JOBCTL_SERVER_SOCKET", "JOBCTL_SERVER_AUTH_TOKEN_FILE"]) {
  test(`a daemon does not make its ${key} in a shared folder`, { skip: NEEDS_ROOT }, async () => {
    await withShared(async (shared, own) => {
      const path = join(shared, "mine");
      const run = await serve(shared, own, { [key]: path });
      assert.notEqual(run.code, 0);
      assert.notEqual(run.code, -1, "it was still running");
      assert.ok(run.stderr.includes(shared), run.stderr);
      assert.equal(existsSync(path), false);
    });
  });
}

test(
  "root's daemon makes no socket in a folder of another user",
  { skip: NEEDS_ROOT },
  async () => {
    await withShared(async (_shared, own) => {
      const run = await runJobctl(["serve", "--config", "config.toml", "--store", "memory:"], {
        cwd: own,
        env: {
          JOBCTL_SERVER_PORT: "0",
          JOBCTL_SERVER_HTTP: "",
          JOBCTL_SERVER_AUTH_MODE: "none",
          JOBCTL_SERVER_SOCKET: join(own, "jobctl.sock"),
        },
      });
      assert.notEqual(run.code, 0);
      assert.ok(run.stderr.includes(own), run.stderr);
    });
  },
);

test("jobctl sends nothing to a planted socket", { skip: NEEDS_ROOT }, async () => {
  await withShared(async (_shared, own) => {
    // The victim is root here, and the folder is the other user's.
    const socket = join(own, "jobctl-59999.sock");
    const listener = await foreignListener(socket, "unix");
    try {
      const run = await runJobctl(["list", "jobs"], { env: { JOBCTL_SOCKET: socket } });
      assert.equal(run.code, 7, run.stderr);
      assert.match(run.stderr, /user "nobody" \(65534\)/);
      assert.equal(listener.heard().bytes, 0);
    } finally {
      await listener.end();
    }
  });
});
