import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Daemon, runJobctl, startDaemon } from "../../support/processes/daemon.ts";

let daemon: Daemon;
let home: string;

before(async () => {
  home = mkdtempSync(join(tmpdir(), "contexts-"));
  daemon = await startDaemon({
    toml: '[server]\nsocket = "own.sock"\n[jobs.mail]\ncommand = ["true"]\n',
    env: { JOBCTL_SERVER_SOCKET: undefined },
  });
});

after(async () => {
  rmSync(home, { recursive: true, force: true });
  await daemon.stop();
});

/** Runs jobctl in a folder, with a home of its own and without an address. */
function jobctl(line: string, cwd: string) {
  return runJobctl(line.split(" "), { cwd, env: { HOME: home, XDG_CONFIG_HOME: undefined } });
}

test("a verb in the folder of a configuration asks its daemon", async () => {
  const { code, stdout, stderr } = await jobctl("list jobs -o name --verbose", daemon.dir);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^mail$/m);
  assert.equal(
    stderr,
    `Daemon: ${join(daemon.dir, "own.sock")}, named by ${join(daemon.dir, "config.toml")}\n`,
  );
  const status = await jobctl("status -o table", daemon.dir);
  assert.match(status.stdout, /^Daemon: +\S+own\.sock \(\S+config\.toml\)$/m);
});

test("a verb asks the daemon of a context, whatever the folder says", async () => {
  const token = join(daemon.dir, "token");
  const added = await jobctl(`context add here --port ${daemon.port} --token-file ${token}`, home);
  assert.equal(added.code, 0, added.stderr);
  const named = await jobctl("-x here list jobs -o name", tmpdir());
  assert.equal(named.code, 0, named.stderr);
  assert.match(named.stdout, /^mail$/m);
  assert.equal((await jobctl("context use here", home)).code, 0);
  const current = await jobctl("context show", tmpdir());
  assert.equal(JSON.parse(current.stdout).named_by, 'context "here", the current one');
  assert.equal((await jobctl("list jobs", home)).code, 0);
  assert.equal((await jobctl("context use --none", home)).code, 0);
  const folder = await jobctl("-xhere status --verbose", daemon.dir);
  assert.match(
    folder.stderr,
    new RegExp(`^Daemon: localhost:${daemon.port}, named by context "here"`),
  );
});

test("a daemon that is not found: the error names the address, what named it, and the socket", async () => {
  const { code, stderr } = await jobctl("list jobs", home);
  assert.equal(code, 7);
  assert.match(stderr, /^jobctl: Cannot reach the daemon at localhost:59051: /);
  assert.match(
    stderr,
    /The address is the default\. Nobody listens at the socket \S+jobctl-59051\.sock either/,
  );
});

test("a token alone leaves the default address: the error says what is not read", async () => {
  const { code, stderr } = await runJobctl(["list", "jobs"], {
    cwd: daemon.dir,
    env: { HOME: home, XDG_CONFIG_HOME: undefined, JOBCTL_TOKEN: "none" },
  });
  assert.equal(code, 7);
  assert.match(
    stderr,
    /With JOBCTL_TOKEN alone, the address is the default: a config\.toml and contexts are not read\./,
  );
});

test("a socket at which nobody listens: the error asks, and names what named it", async () => {
  const { code, stderr } = await jobctl("list jobs --socket /nonexistent.sock", home);
  assert.equal(code, 7);
  assert.match(stderr, /^jobctl: Cannot reach the daemon at \/nonexistent\.sock: ENOENT\n/);
  assert.match(stderr, /may this user open its socket\? The address is from --socket$/m);
});

test("a configuration that others can change names no daemon, and the error says so", async () => {
  const file = join(daemon.dir, "config.toml");
  chmodSync(file, 0o666);
  try {
    const { code, stderr } = await jobctl("list jobs", daemon.dir);
    assert.equal(code, 7);
    assert.match(
      stderr,
      /Not used: \S+config\.toml: "\S+" is not trusted: every user can write to it/,
    );
  } finally {
    chmodSync(file, 0o644);
  }
});
