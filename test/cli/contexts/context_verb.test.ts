import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { changeContexts, contextsPath } from "../../../src/cli/contexts/contexts_file.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { cli, type CliOptions } from "../../support/worlds/cli_world.ts";

type Run = (line: string, options?: CliOptions) => ReturnType<typeof cli>;

/** A home without contexts, and what runs command lines in it. */
async function home(run: (jobctl: Run, file: string) => Promise<void>): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "context-")));
  const jobctl: Run = (line, options = {}) =>
    cli(line.split(" "), { ...options, cwd: folder, env: { HOME: folder, ...options.env } });
  try {
    await run(jobctl, join(folder, ".config", "jobctl", "contexts.toml"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a folder in place of the contexts is refused with its path", async () => {
  await home(async (jobctl, file) => {
    mkdirSync(file, { recursive: true, mode: 0o700 });
    const { code, stderr } = await jobctl("context list");
    assert.equal(code, 2);
    assert.match(stderr, /Cannot use the contexts in ".*contexts\.toml": it is not a regular file/);
  });
});

test("changes of the contexts at once are all kept", async () => {
  await home(async (jobctl, file) => {
    const names = Array.from({ length: 8 }, (_, index) => `node-${index}`);
    await Promise.all(
      names.map((name) =>
        changeContexts(file, systemClock, ({ current, byName }) => ({
          current,
          byName: new Map([...byName, [name, { port: "443" }] as const]),
        }))
      ),
    );
    const { stdout } = await jobctl("context list");
    assert.deepEqual(JSON.parse(stdout).map(({ name }: { name: string }) => name).sort(), names);
  });
});

test("a draft that a killed program left behind does not block changes of the contexts", async () => {
  await home(async (jobctl, file) => {
    await jobctl("context add one --port 443");
    writeFileSync(`${file}.new`, "half");
    utimesSync(`${file}.new`, 0, 0);
    assert.equal((await jobctl("context add two --port 443")).code, 0);
    assert.equal(JSON.parse((await jobctl("context list")).stdout).length, 2);
    assert.equal(existsSync(`${file}.new`), false);
  });
});

test("context add saves a daemon in a private file, with absolute paths", async () => {
  await home(async (jobctl, file) => {
    const line = "context add prod --host jobs.example.com --port 443 --tls --token-file a.token";
    const { code, stdout } = await jobctl(line);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      ...{ name: "prod", address: "jobs.example.com:443", is_current: false },
      credentials: `token of ${join(file, "../../..", "a.token")}`,
    });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(join(file, "..")).mode & 0o777, 0o700);
    const text = readFileSync(file, "utf8");
    assert.match(text, /\[contexts\.prod\]\nhost = "jobs\.example\.com"\nport = "443"\n/);
    const { settings } = await jobctl("-x prod status");
    assert.deepEqual([settings!.host, settings!.port], ["jobs.example.com", 443]);
    assert.notEqual(settings!.tls, null);
  });
});

test("context use, list, show and remove work on what add saved", async () => {
  await home(async (jobctl) => {
    await jobctl("context add dev --port 59061 --use");
    await jobctl("context add prod --host a --tls --token secret-token-0123456789");
    const list = JSON.parse((await jobctl("context list")).stdout);
    assert.deepEqual(
      list.map((each: { name: string; is_current: boolean }) => [each.name, each.is_current]),
      [
        ["dev", true],
        ["prod", false],
      ],
    );
    assert.equal((await jobctl("status")).settings!.port, 59_061);
    assert.equal((await jobctl("context use prod")).code, 0);
    assert.equal((await jobctl("status")).settings!.host, "a");
    const shown = await jobctl("context show prod");
    assert.deepEqual(JSON.parse(shown.stdout), {
      ...{ name: "prod", host: "a", tls: true, token: "hidden", is_current: true },
    });
    const chosen = JSON.parse((await jobctl("context show")).stdout);
    assert.equal(chosen.named_by, 'context "prod", the current one');
    assert.equal((await jobctl("context remove prod")).code, 0);
    assert.equal((await jobctl("status")).settings!.host, "localhost");
    assert.equal((await jobctl("context use --none")).code, 0);
    assert.equal((await jobctl("context show prod")).code, 4);
  });
});

for (
  const [line, pattern] of [
    ["context add -- -x --host a", /"-x": not a name|takes no more words/],
    ["context add a/b --host a", /"a\/b": not a name/],
    ["context add a", /without an address/],
    ["context add a --host jobs.example.com --token t", /only over TLS/],
    ["context add a --host b --socket c", /--socket with --host/],
    ["context add a --socket c --token t", /a socket takes no token/],
    ["context add a --host b --tls-key c", /--tls-key without --tls-cert/],
    ["context add a --port 0", /"0": not a whole number/],
    ["context use", /Cannot tell which context/],
    ["context use a --none", /Cannot tell which context/],
  ] as const
) {
  test(`${line} is refused, and nothing is saved`, async () => {
    await home(async (jobctl, file) => {
      const { code, stderr } = await jobctl(line);
      assert.equal(code, 2);
      assert.match(stderr, pattern);
      assert.equal(existsSync(file), false);
    });
  });
}

test("context add replaces a context only with --force", async () => {
  await home(async (jobctl) => {
    await jobctl("context add a --host b --tls");
    const again = await jobctl("context add a --host c --tls");
    assert.equal(again.code, 6);
    assert.match(again.stderr, /it already exists\nhint: Replace it with --force/);
    assert.equal((await jobctl("context add a --host c --tls --force")).code, 0);
    assert.equal((await jobctl("-x a status")).settings!.host, "c");
  });
});

test("context use says which variables come before it", async () => {
  await home(async (jobctl) => {
    await jobctl("context add a --host b --tls");
    const { stderr } = await jobctl("context use a", { env: { JOBCTL_PORT: "1" } });
    assert.equal(stderr, "JOBCTL_PORT is set, which comes before the current context\n");
  });
});

test("context use says that the configuration of the folder comes before it", async () => {
  await home(async (jobctl, file) => {
    await jobctl("context add a --host b --tls");
    const config = join(file, "../../..", "config.toml");
    writeFileSync(config, "[server]\nport = 59061\n");
    const { stderr } = await jobctl("context use a");
    assert.equal(
      stderr,
      `In this folder, ${config} comes before the current context: use jobctl -x a VERB\n`,
    );
    assert.equal((await jobctl("status")).settings!.port, 59_061);
    assert.equal((await jobctl("context use --none")).stderr, "");
  });
});

test("--verbose says on stderr which daemon is asked, and what named it", async () => {
  await home(async (jobctl) => {
    await jobctl("context add a --host b --tls --use");
    const { stderr } = await jobctl("status --verbose");
    assert.equal(stderr, 'Daemon: b:59051, named by context "a", the current one\n');
    assert.equal((await jobctl("status")).stderr, "");
  });
});

test("status says which daemon it speaks to", async () => {
  const { stdout } = await cli(["status", "--host", "web1"], { isTerminal: true });
  assert.match(stdout, /^Daemon: +web1:59051 \(--host\)$/m);
});

test("contextsPath() follows the base directory specification", () => {
  assert.equal(contextsPath({ HOME: "/h" }), "/h/.config/jobctl/contexts.toml");
  assert.equal(contextsPath({ HOME: "/h", XDG_CONFIG_HOME: "/x" }), "/x/jobctl/contexts.toml");
  assert.equal(
    contextsPath({ HOME: "/h", XDG_CONFIG_HOME: "x" }),
    "/h/.config/jobctl/contexts.toml",
  );
  assert.equal(contextsPath({ HOME: "" }), null);
  assert.equal(contextsPath({}), null);
});

test("context add writes behind a link, and keeps the mode of the file", {
  skip: process.platform === "win32",
}, async () => {
  await home(async (jobctl, file) => {
    await jobctl("context add dev --port 59061");
    const kept = join(file, "../../../dotfiles.toml");
    renameSync(file, kept);
    chmodSync(kept, 0o400);
    symlinkSync(kept, file);
    assert.equal((await jobctl("context add prod --port 59062")).code, 0);
    assert.ok(lstatSync(file).isSymbolicLink());
    assert.match(readFileSync(kept, "utf8"), /contexts\.prod/);
    assert.equal(statSync(kept).mode & 0o777, 0o400);
  });
});

test("context list writes no headings into a pipe if there are none", async () => {
  await home(async (jobctl) => {
    const { stdout, stderr } = await jobctl("context list", { env: { JOBCTL_OUTPUT: "" } });
    assert.deepEqual([stdout, stderr], ["", ""]);
  });
});
