import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import {
  type InstallOptions,
  installService,
  serviceUser,
  uninstallService,
} from "../../src/tools/service/install_service.ts";
import { SERVICE_KINDS } from "../../src/tools/service/service_settings.ts";
import { userId } from "../../src/platform/system/accounts.ts";
import { parsePlist } from "../support/plist.ts";
import { NEEDS_ROOT } from "../support/processes/foreign_user.ts";
import { withTempDir } from "../support/temp_dir.ts";

const PATHS = {
  systemd: "etc/systemd/system/jobctl.service",
  openrc: "etc/init.d/jobctl",
  launchd: "Library/LaunchDaemons/io.github.ts-job.jobctl.plist",
} as const;

function optionsOf(prefix: string, changes: Partial<InstallOptions> = {}): InstallOptions {
  return {
    kind: "systemd",
    user: "jobctl",
    prefix,
    isDryRun: false,
    isForced: false,
    argv: ["/opt/none/jobctl"],
    config: "/etc/none/config.toml",
    isStarted: true,
    env: {},
    ...changes,
  };
}

/** Rejects with a JobError of this code whose message matches. */
async function refused(work: () => unknown, code: string, message: RegExp): Promise<void> {
  await assert.rejects(async () => await work(), (error: { code: string; message: string }) => {
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

for (const kind of SERVICE_KINDS) {
  test(`uninstallService() removes exactly what installService() wrote for ${kind}`, async () => {
    await withTempDir({ "etc/other": "stays" }, async ({ path }) => {
      const options = optionsOf(path, { kind });
      const { path: written, commands } = await installService(options);
      assert.equal(written, join(path, PATHS[kind]));
      assert.match(readFileSync(written, "utf8"), /\/opt\/none\/jobctl/);
      assert.deepEqual(commands, []);
      assert.equal(uninstallService(options).path, written);
      assert.ok(!existsSync(written));
      const left = readdirSync(path, { recursive: true, withFileTypes: true });
      assert.deepEqual(left.filter((each) => each.isFile()).map(({ name }) => name), ["other"]);
      await refused(() => uninstallService(options), "not_found", /there is no/);
    });
  });

  test(`a file for ${kind} that was changed stays unless it is forced`, async () => {
    await withTempDir({}, async ({ path }) => {
      const options = optionsOf(path, { kind });
      const { path: written } = await installService(options);
      // Our own file may be written again, also by another version or for another program.
      await installService({ ...options, argv: ["/opt/other/jobctl"] });
      appendFileSync(written, "\n# mine\n");
      await refused(() => installService(options), "already_exists", /it was changed/);
      await refused(() => uninstallService(options), "conflict", /it was changed/);
      assert.match(readFileSync(written, "utf8"), /# mine/);
      uninstallService({ ...options, isForced: true });
      assert.ok(!existsSync(written));
    });
  });
}

test("uninstallService() says how to remove the other unit if only that one is there", async () => {
  await withTempDir({}, async ({ path }) => {
    const options = optionsOf(path);
    const ofRoot = { ...options, user: null };
    const hintOf = (given: InstallOptions) => {
      try {
        uninstallService(given);
      } catch (error) {
        return (error as { hint?: string }).hint ?? "";
      }
      return "it was removed";
    };
    await installService(ofRoot);
    assert.match(
      hintOf(options),
      /jobctl-root\.service", run: jobctl uninstall-service --root --prefix/,
    );
    uninstallService(ofRoot);
    await installService(options);
    assert.match(hintOf(ofRoot), /jobctl\.service", run: jobctl uninstall-service --prefix/);
    uninstallService(options);
    assert.match(hintOf(options), /give the same again/);
  });
});

test("installService() writes the socket unit for the addresses of the configuration", async () => {
  const server = (lines: string) => ({ "config.toml": `[server]\n${lines}\n` });
  const textFor = (lines: string, changes: Partial<InstallOptions> = {}) =>
    withTempDir(server(lines), async ({ path }) => {
      const options = { isSocket: true, user: null, config: join(path, "config.toml"), ...changes };
      const { path: written } = await installService(optionsOf(path, options));
      const text = readFileSync(written, "utf8");
      uninstallService(optionsOf(path, options));
      assert.ok(!existsSync(written));
      return { name: written.slice(path.length + 1), text };
    });
  const listens = ({ text }: { readonly text: string }) =>
    [...text.matchAll(/^ListenStream=(.*)$/gm)].map(([, address]) => address);
  const config = "/etc/none/config.toml";
  const plain = await textFor("", { user: "jobctl", config });
  assert.equal(plain.name, "etc/systemd/system/jobctl.socket");
  assert.deepEqual(listens(plain), ["127.0.0.1:59051", "127.0.0.1:59052"]);
  const ofRoot = await textFor('host = "localhost"\nport = 1\nhttp = "[::1]:2"');
  assert.equal(ofRoot.name, "etc/systemd/system/jobctl-root.socket");
  assert.deepEqual(listens(ofRoot), ["127.0.0.1:1", "[::1]:2"]);
  assert.deepEqual(listens(await textFor('port = ""')), ["127.0.0.1:59052"]);
  for (
    const wrong of [
      "port = 0",
      'port = ""\nhttp = ""',
      'http = "web.example:1"\nallow_insecure = true',
    ]
  ) {
    await refused(() => textFor(wrong), "invalid_argument", /^Cannot write a socket unit: /);
  }
  await refused(() => textFor("", { kind: "openrc" }), "unimplemented", /socket unit for openrc/);
});

test("installService() leaves the start of a socket unit to its user, as the service must not run", async () => {
  await withTempDir({ "config.toml": "" }, async ({ path }) => {
    const config = join(path, "config.toml");
    const options = { config, user: null, prefix: null, isDryRun: true, isSocket: true };
    const { commands, next } = await installService(optionsOf(path, options));
    assert.deepEqual(commands, ["systemctl daemon-reload", "systemctl enable jobctl-root.socket"]);
    assert.deepEqual(next.slice(0, 2), [
      "sudo systemctl stop jobctl-root.service",
      "sudo systemctl start jobctl-root.socket jobctl-root.service",
    ]);
  });
});

test("installService() leaves a file alone that somebody else wrote", async () => {
  await withTempDir({ [PATHS.systemd]: "[Service]\n" }, async ({ path }) => {
    await refused(() => installService(optionsOf(path)), "already_exists", /somebody else/);
    await refused(() => uninstallService(optionsOf(path)), "conflict", /did not write it/);
    await installService(optionsOf(path, { isForced: true }));
    assert.match(readFileSync(join(path, PATHS.systemd), "utf8"), /Type=notify/);
  });
});

test("installService() does not hide the unit of a package", async () => {
  await withTempDir({ "usr/lib/systemd/system/jobctl.service": "" }, async ({ path }) => {
    await refused(() => installService(optionsOf(path)), "already_exists", /would hide it/);
    assert.match((await installService(optionsOf(path, { user: null }))).path, /jobctl-root/);
    await installService(optionsOf(path, { isForced: true }));
  });
});

test("installService() leaves a masked unit alone", async () => {
  await withTempDir({ "etc/systemd/system/.keep": "" }, async ({ path }) => {
    symlinkSync("/dev/null", join(path, PATHS.systemd));
    await refused(() => installService(optionsOf(path)), "already_exists", /somebody else/);
  });
});

test("installService() changes nothing in a dry run and says what it would do", async () => {
  await withTempDir({ "config.toml": "" }, async ({ path }) => {
    const config = join(path, "config.toml");
    const options = { config, user: null, prefix: null, isDryRun: true };
    const { text, commands } = await installService(optionsOf(path, options));
    assert.match(text!, /^ExecStart=\/opt\/none\/jobctl serve --config \S+$/m);
    assert.deepEqual(commands, [
      "systemctl daemon-reload",
      "systemctl enable --now jobctl-root.service",
    ]);
    const waits = await installService(optionsOf(path, { ...options, isStarted: false }));
    assert.deepEqual(waits.commands, ["systemctl daemon-reload"]);
    assert.deepEqual(waits.next, ["sudo systemctl enable --now jobctl-root.service"]);
  });
});

test("installService() names the command that asks the daemon, with what leads to it", async () => {
  await withTempDir({}, async ({ path, write }) => {
    const config = join(path, "config.toml");
    const statusOf = async (text: string, kind: "systemd" | "openrc" = "systemd") => {
      write("config.toml", text);
      const options = { config, kind, user: null, prefix: null, isDryRun: true };
      return (await installService(optionsOf(path, options))).next.at(-1);
    };
    assert.equal(await statusOf(""), "sudo jobctl status");
    assert.equal(await statusOf("", "openrc"), "sudo jobctl status");
    assert.equal(await statusOf("[server]\nport = 7001\n"), "sudo jobctl status --port 7001");
    assert.equal(
      await statusOf('[server]\nsocket = "/run/jobctl/a b.sock"\n'),
      "sudo jobctl status --socket '/run/jobctl/a b.sock'",
    );
    assert.equal(
      await statusOf('[server]\nhost = "10.1.2.3"\nsocket = ""\nallow_insecure = true\n'),
      "sudo jobctl status --host 10.1.2.3",
    );
    assert.equal(
      await statusOf("[server]\nport = 0\n"),
      "systemctl status jobctl-root.service",
    );
  });
});

test("installService() quotes spaces and percent signs for systemd", async () => {
  await withTempDir({}, async ({ path }) => {
    const options = { argv: ["/opt/50% of it/jobctl"], config: "/etc/a b/%n.toml" };
    const { text } = await installService(optionsOf(path, options));
    const line = 'ExecStart="/opt/50%% of it/jobctl" serve --config "/etc/a b/%%n.toml"';
    assert.ok(text!.split("\n").includes(line));
  });
});

test("installService() escapes a path for launchd", async () => {
  await withTempDir({}, async ({ path }) => {
    const options = { kind: "launchd", argv: ["/opt/<a> & b/jobctl"] } as const;
    const plist = parsePlist((await installService(optionsOf(path, options))).text!);
    const { ProgramArguments } = plist as { ProgramArguments: readonly string[] };
    assert.equal(ProgramArguments[0], "/opt/<a> & b/jobctl");
  });
});

for (
  const [kind, argv] of [
    ["systemd", "/opt/a\nExecStartPre=/bin/evil"],
    ["systemd", '/opt/a"b'],
    ["systemd", "/opt/$a"],
    ["systemd", "/opt/a\\b"],
    ["systemd", `/opt/${"x".repeat(1_024)}`],
    ["openrc", "/opt/a b"],
    ["openrc", "/opt/$(reboot)"],
    ["openrc", '/opt/";reboot;"'],
    ["launchd", "/opt/a\u0007b"],
  ] as const
) {
  test(`installService() refuses ${JSON.stringify(argv).slice(0, 40)} for ${kind}`, async () => {
    await withTempDir({}, async ({ path }) => {
      const options = optionsOf(path, { kind, argv: [argv] });
      await refused(() => installService(options), "invalid_argument", /Cannot write the path/);
      assert.deepEqual(readdirSync(path), []);
    });
  });
}

for (const user of ["root", "0", "a b", "x\nUser=root", "", "-u", "a".repeat(32)]) {
  test(`installService() refuses the user ${JSON.stringify(user)}`, async () => {
    await withTempDir({}, async ({ path }) => {
      const work = () => installService(optionsOf(path, { user }));
      await refused(work, "invalid_argument", /as user/);
    });
  });
}

/** The hint of a refusal. */
async function hintOf(options: InstallOptions): Promise<string> {
  const error = await installService(options).then(
    () => assert.fail("it was installed"),
    (error: { hint: string }) => error,
  );
  return error.hint;
}

test("installService() names all that is missing, and installs the unit last", async () => {
  await withTempDir({ "config.toml": "", "data/.keep": "" }, async ({ path }) => {
    const user = "no-such-user";
    // The unit of systemd would not see a configuration in /tmp.
    const given = { kind: "openrc", prefix: null, isDryRun: true, user } as const;
    const planOf = async (config: string) => {
      const { text, commands, notes, next } = await installService(
        optionsOf("/", { ...given, config }),
      );
      assert.match(text!, /no-such-user/);
      assert.deepEqual(commands, []);
      assert.match(notes.join("\n"), /^User no-such-user does not exist yet: /m);
      return next.join(" && ");
    };
    const useradd = `sudo addgroup -S ${user} && sudo adduser -S .* ${user}`;
    const install = `sudo jobctl install-service --user ${user}`;
    const config = join(path, "none", "config.toml");
    const init = `sudo jobctl init ${path}/none && sudo jobctl check --config ${config}`;
    assert.match(
      await planOf(config),
      new RegExp(`^${useradd} && ${init} && ${install} --config ${config}$`),
    );
    const present = join(path, "config.toml");
    assert.match(
      await planOf(present),
      new RegExp(`^${useradd} && ${install} --config ${present}$`),
    );
  });
});

test("installService() refuses a user that does not exist", { skip: NEEDS_ROOT }, async () => {
  const hint = await hintOf(optionsOf("/", { prefix: null, user: "no-such-user" }));
  assert.match(hint, /^Run: sudo useradd --system .* no-such-user && sudo jobctl init .* && /);
});

test("installService() writes no unit without a configuration", { skip: NEEDS_ROOT }, async () => {
  await withTempDir({}, async ({ path }) => {
    // What is under test writes to the real system if it fails.
    const options = optionsOf("/", { kind: "openrc", prefix: null, isStarted: false, user: null });
    const config = join(path, "config.toml");
    const hint = await hintOf({ ...options, config });
    const steps = `sudo jobctl init ${path} && sudo jobctl check --config ${config}`;
    assert.equal(hint, `Run: ${steps} && sudo jobctl install-service --root --config ${config}`);
    const dry = await installService({ ...options, config, isDryRun: true });
    assert.equal(`Run: ${dry.next.join(" && ")}`, hint);
    assert.match(dry.notes.join(), /does not exist yet/);
  });
});

test("installService() refuses a program that the unit would not see", async () => {
  await withTempDir({}, async ({ path }) => {
    const options = optionsOf(path, { argv: ["/tmp/jobctl"] });
    await refused(() => installService(options), "invalid_argument", /private \/tmp/);
  });
});

test("installService() opens the database's folder, and home folders, for reading", async () => {
  await withTempDir({ "config.toml": "", "data/.keep": "" }, async ({ path }) => {
    const config = join(path, "config.toml");
    const openrc = await installService(optionsOf(path, { kind: "openrc", config }));
    assert.match(openrc.notes.join("\n"), /The database is in .*\/data: user jobctl must/);
    const { text } = await installService(optionsOf(path, { argv: ["/home/me/bin/jobctl"] }));
    assert.match(text!, /^ProtectHome=read-only$/m);
  });
});

test("installService() refuses a configuration whose database could not be created", async () => {
  await withTempDir({ "config.toml": "" }, async ({ path }) => {
    const options = optionsOf(path, { kind: "openrc", config: join(path, "config.toml") });
    const hint = await hintOf(options);
    assert.match(hint, /store\.url = "sqlite:\/var\/lib\/jobctl\/jobctl\.db"/);
    assert.match(hint, /sudo install -d -m 0700 -o jobctl \S+\/data;/);
  });
});

test("installService() refuses a database that the daemon's user cannot write", {
  skip: NEEDS_ROOT,
}, async () => {
  await withTempDir({ "config.toml": "", "data/.keep": "" }, async ({ path }) => {
    const config = join(path, "config.toml");
    const given = { kind: "openrc", prefix: null, isDryRun: true, user: "nobody" } as const;
    const options = optionsOf("/", { ...given, config });
    await refused(
      () => installService(options),
      "invalid_argument",
      /"nobody" cannot write its database, ".*": ".*\/data" is not writable for that user$/,
    );
    assert.match(await hintOf(options), /^Let the user write there, or set store\.url = /);
    chownSync(join(path, "data"), userId("nobody"), 0);
    assert.match((await installService(options)).notes.join(), /The database is in/);
  });
});

test("serviceUser() is jobctl, the named user, or root", async () => {
  assert.equal(serviceUser(undefined, false), "jobctl");
  assert.equal(serviceUser("me", false), "me");
  assert.equal(serviceUser(undefined, true), null);
  await refused(() => serviceUser("me", true), "invalid_argument", /--user with --root/);
});

test("the script for OpenRC is one that sh can read", async () => {
  await withTempDir({}, async ({ path }) => {
    const { path: script } = await installService(optionsOf(path, { kind: "openrc" }));
    assert.equal(spawnSync("/bin/sh", ["-n", script]).status, 0);
  });
});
