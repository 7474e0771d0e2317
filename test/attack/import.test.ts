import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, lchownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runJobctl } from "../support/processes/daemon.ts";
import { FOREIGN_UID, NEEDS_ROOT } from "../support/processes/foreign_user.ts";
import { withTempDir } from "../support/temp_dir.ts";

/**
 * Imports by root of what another user wrote: nothing of it may run as root, or stop the import.
 */

const asRoot = { skip: NEEDS_ROOT };
const TIMER = "[Timer]\nOnCalendar=daily\n";
const SERVICE = "[Service]\nExecStart=/bin/poweroff\n";
const LINES = ["--dialect", "cronie", "--timezone", "UTC"];

/** A folder of root with one of another user in it. */
async function withFolders(
  body: (folders: { readonly own: string; readonly foreign: string }) => Promise<void>,
): Promise<void> {
  await withTempDir({}, async ({ path: own }) => {
    chmodSync(own, 0o755);
    const foreign = join(own, "foreign");
    mkdirSync(foreign);
    lchownSync(foreign, FOREIGN_UID, FOREIGN_UID);
    await body({ own, foreign });
  });
}

/** `jobctl import` of a path, and what `jobctl check` says of the result. */
async function imported(args: readonly string[], input = ""): Promise<{
  readonly toml: string;
  readonly notes: string;
  readonly isUsable: boolean;
}> {
  const { stdout, stderr } = await runJobctl(["import", ...args], { input });
  return await withTempDir({}, async ({ path }) => {
    const file = join(path, "imported.toml");
    writeFileSync(file, stdout);
    const check = await runJobctl(["check", "--config", file, "-o", "json"]);
    return { toml: stdout, notes: stderr, isUsable: JSON.parse(check.stdout).is_usable };
  });
}

test("another user's links make no jobs of root out of files of root", asRoot, async () => {
  await withFolders(async ({ own, foreign }) => {
    writeFileSync(join(own, "a.timer"), TIMER);
    writeFileSync(join(own, "b.service"), SERVICE);
    writeFileSync(join(own, "log"), "* * * * * poweroff\n");
    const links = [["a.timer", "x.timer"], ["b.service", "x.service"], ["log", "tab"]] as const;
    for (const [target, name] of links) {
      symlinkSync(join(own, target), join(foreign, name));
      lchownSync(join(foreign, name), FOREIGN_UID, FOREIGN_UID);
    }
    const units = await imported(["systemd", foreign]);
    assert.match(units.toml, /^\[jobs\.x\]\n(?:.+\n)*user = "nobody"$/m);
    const lines = await imported(["crontab", join(foreign, "tab"), ...LINES]);
    assert.match(lines.toml, /^\[jobs\.poweroff\]\n(?:.+\n)*user = "nobody"$/m);
    assert.match(lines.notes, /a folder or a link that leads to it belongs to "nobody"/);
    const folder = await imported(["crontab", foreign, ...LINES, "--system"]);
    assert.doesNotMatch(folder.toml, /^\[jobs/m);
  });
});

test("another user's unit has no rights that the user has not", asRoot, async () => {
  await withFolders(async ({ own, foreign }) => {
    const secret = join(own, "secret.env");
    writeFileSync(secret, "PASSWORD=of-root\n", { mode: 0o600 });
    const keys = [`EnvironmentFile=${secret}`, "User=root", "Group=root", "Nice=-20"];
    keys.push("IOSchedulingClass=realtime", "LimitNOFILE=1000000", "UMask=077");
    writeFileSync(join(foreign, "x.timer"), TIMER);
    writeFileSync(join(foreign, "x.service"), `${SERVICE}${keys.join("\n")}\n`);
    const { toml, isUsable } = await imported(["systemd", foreign]);
    assert.ok(isUsable, toml);
    assert.match(toml, /^# Disabled: it would run without EnvironmentFile=.+\nenabled = false$/m);
    assert.match(toml, /^user = "nobody"\numask = "077"\n(?!nice|ionice|env_file|limits)/m);
    assert.doesNotMatch(toml, /^(?:env_file|group|nice|ionice|limits) =/m);
  });
});

test("pipes, devices and folders in place of files do not stop an import", asRoot, async () => {
  await withFolders(async ({ own, foreign }) => {
    const [timer, service] = [join(foreign, "x.timer"), join(foreign, "x.service")];
    writeFileSync(join(foreign, "good.timer"), TIMER);
    writeFileSync(join(foreign, "good.service"), `${SERVICE}EnvironmentFile=-${foreign}/pipe\n`);
    execFileSync("mkfifo", [timer, join(foreign, "pipe")]);
    const check = async (file: string) => {
      const { toml, notes } = await imported(["systemd", foreign]);
      assert.match(toml, /^\[jobs\.good\]$/m);
      assert.match(notes, /x\.timer:1: left out: .+ it is not a file/, file);
    };
    await check("pipe as timer");
    rmSync(timer);
    writeFileSync(timer, TIMER);
    symlinkSync("/dev/zero", service);
    await check("device as service");
    rmSync(service);
    mkdirSync(service);
    await check("folder as service");
    const endless = await runJobctl(["import", "crontab", "/dev/zero", ...LINES]);
    assert.match(endless.stderr, /it has over 4194304 bytes/);
    writeFileSync(join(own, "huge"), "* * * * * root true\n".repeat(300_000));
    writeFileSync(join(own, "good"), "* * * * * root true\n");
    const lines = await imported(["crontab", own, ...LINES]);
    assert.match(lines.notes, /huge: left out: .+ it has over 4194304 bytes/);
    assert.match(lines.toml, /^\[jobs\.true\]$/m);
  });
});

test("a unit that every user can write to is left out, and one at /dev/null is empty", async () => {
  await withTempDir({}, async ({ path }) => {
    for (const name of ["open", "off"]) {
      writeFileSync(join(path, `${name}.timer`), TIMER);
      writeFileSync(join(path, `${name}.service`), SERVICE);
    }
    chmodSync(join(path, "open.service"), 0o666);
    mkdirSync(join(path, "off.service.d"));
    symlinkSync("/dev/null", join(path, "off.service.d", "a.conf"));
    const { toml, notes } = await imported(["systemd", path]);
    assert.deepEqual(toml.match(/^\[jobs\..+$/gm), ["[jobs.off]"]);
    assert.match(notes, /open\.timer:1: left out: .+ every user can write to it \(mode 0666\)/);
  });
});

test("no name or text in a crontab makes the whole result unusable", async () => {
  const comment = `${"a".repeat(196)}'"b\u{1f600}`;
  const variables = `constructor=1\n__proto__=2\n"a } b"=3\n'x"y'=4\nGOOD=5\n`;
  const names = ["constructor", "/bin/prototype", "__proto__"];
  await withTempDir({}, async ({ path }) => {
    const file = join(path, "anacrontab");
    const check = async (text: string, wanted: RegExp) => {
      writeFileSync(file, text);
      // Its name is that of an anacrontab, and from standard input its text decides.
      const args = ["crontab", text.includes("* *") ? "-" : file, ...LINES];
      const { isUsable, toml } = await imported(args, text);
      assert.ok(isUsable, toml);
      assert.match(toml, wanted);
    };
    await check(`# ${comment}\n* * * * * true\n`, /^description = /m);
    await check(names.map((name) => `* * * * * ${name}\n`).join(""), /^\[jobs\.constructor-2\]$/m);
    await check(`${variables}* * * * * true\n`, /^env = \{ .*GOOD = "5" \}$/m);
    await check(`${variables}7 10 constructor true\n`, /^env = \{ .*GOOD = "5" \}$/m);
  });
});
