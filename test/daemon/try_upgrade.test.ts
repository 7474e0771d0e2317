import assert from "node:assert/strict";
import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { ProgramUpgrade, type TriedProgram, tryUpgrade } from "../../src/daemon/try_upgrade.ts";
import { whenGone } from "../support/attempts.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { linesOf } from "../support/wait.ts";
import { keepingLogger, type LoggedLine } from "../support/worlds/rpc_world.ts";

const lines: LoggedLine[] = [];
/** Where a process can be replaced. */
const HERE = { canReplace: true, logger: keepingLogger(lines) };

/** Try a shell script with these lines as the new program. */
async function tried(...lines: readonly string[]): Promise<TriedProgram> {
  return await withTempDir({}, async ({ path }) => {
    const program = join(path, "jobctl");
    writeFileSync(program, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
    return await tryUpgrade([program, "serve", "--config", "a b.toml"], HERE);
  });
}

function refused(pattern: RegExp, hint: RegExp = /runs on as it was/) {
  return (error: unknown) => {
    assert.ok(isJobError(error, "conflict"), String(error));
    assert.match(error.message, pattern);
    assert.match(error.hint ?? "", hint);
    return true;
  };
}

test("tryUpgrade() starts the program as the daemon was started, and returns what it says", async () => {
  const program = await tried(
    '[ "$*" = "serve --config a b.toml --dry-run" ] || exit 9',
    `[ "$JOBCTL_OUTPUT" = json ] && echo '{"version":"9.0.0","jobs":2}'`,
  );
  assert.deepEqual(program, { version: "9.0.0", takesSockets: false });
  const takes = await tried(`echo '{"version":"9.1.0","takes_sockets":true}'`);
  assert.deepEqual(takes, { version: "9.1.0", takesSockets: true });
});

test("tryUpgrade() refuses a program that does not start, with its own error", async () => {
  const lines = ["echo 'config.toml:3: nonsense' >&2; echo 'error: no such key' >&2; exit 2"];
  await assert.rejects(
    tried(...lines),
    refused(
      /"\S+\/jobctl" does not start: no such key$/,
      /jobctl serve --config 'a b.toml' --dry-run$/,
    ),
  );
  await assert.rejects(tried("exit 3"), refused(/does not start: it exited with code 3$/));
  await assert.rejects(tried("kill -9 $$"), refused(/does not start: it was ended by SIGKILL$/));
});

test("tryUpgrade() refuses a program that is something else, and a file that is none", async () => {
  for (const output of ["true", "echo '{}'", "echo '[1'", "echo 'note' >&2"]) {
    await assert.rejects(tried(output), refused(/it is not a jobctl that can be tried$/));
  }
  const missing = tryUpgrade(["/nowhere/jobctl", "serve"], HERE);
  const hint = /^The daemon runs on as it was\. Put the program of the new version there, /;
  await assert.rejects(missing, refused(/there is no such file$/, hint));
  await withTempDir({}, async ({ path }) => {
    const program = join(path, "jobctl");
    lines.length = 0;
    writeFileSync(program, "#!/bin/sh\n");
    chmodSync(program, 0o644);
    await assert.rejects(tryUpgrade([program], HERE), refused(/it is not executable$/, hint));
    assert.deepEqual(lines, [{
      level: "warn",
      message: "The daemon was not upgraded",
      fields: { program, reason: "it is not executable" },
    }]);
    writeFileSync(program, "only text\n");
    chmodSync(program, 0o755);
    await assert.rejects(
      tryUpgrade([program], HERE),
      // Deno and Node give such a file to a shell.
      refused(/does not start: (?:it is not a program that this machine can run|.*: not found)$/),
    );
  });
});

test("tryUpgrade() kills a program that takes too long, also if it ignores SIGTERM", async () => {
  await withTempDir({}, async ({ path }) => {
    const program = join(path, "jobctl");
    const pidFile = join(path, "pid");
    const script = ["#!/bin/sh", "trap '' TERM", `echo $$ >"${pidFile}"`, "exec sleep 60", ""];
    writeFileSync(program, script.join("\n"), { mode: 0o755 });
    const trial = tryUpgrade([program], { ...HERE, limitMs: 1_000 });
    await assert.rejects(trial, refused(/does not start: it took longer than 1 s$/));
    await whenGone(Number(linesOf(pidFile)[0]), 1_000);
  });
});

test("tryUpgrade() refuses where a process cannot be replaced", async () => {
  await assert.rejects(tryUpgrade(["/bin/true"], { ...HERE, canReplace: false }), (error) => {
    return isJobError(error, "unimplemented") && /systemctl restart/.test(error.hint ?? "");
  });
});

/** A program that can be tried, and how often it was; and what was run in place of this process. */
async function withUpgrade(
  body: (parts: {
    readonly upgrade: ProgramUpgrade;
    /** Put another program in its place, with these lines. */
    readonly replace: (...lines: readonly string[]) => void;
    /** Change a file of the configuration. */
    readonly configure: (stamp: string) => void;
    readonly trials: () => readonly string[];
    readonly executed: readonly string[];
  }) => Promise<void>,
): Promise<void> {
  await withTempDir({}, async ({ path }) => {
    const program = join(path, "jobctl");
    const trials = join(path, "trials");
    const executed: string[] = [];
    let configStamp = "first";
    const replace = (...lines: readonly string[]) => {
      writeFileSync(`${program}.new`, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
      renameSync(`${program}.new`, program);
    };
    replace(`echo first >> ${trials}; sleep 0.1; echo '{"version":"9.0.0"}'`);
    const upgrade = new ProgramUpgrade({
      argv: [program, "serve"],
      canBeReplaced: () => true,
      replace: (_name, handedOver) => executed.push(Object.values(handedOver?.env ?? {}).join()),
      beginAnew: () => executed.push("anew"),
    }, {
      ...{ logger: HERE.logger, configStamp: () => configStamp, retryMs: 1_000 },
      sockets: { handOver: () => ({ descriptors: [7], env: { SOCKETS: "7" } }) },
    });
    const configure = (stamp: string) => configStamp = stamp;
    await body({ upgrade, replace, configure, trials: () => linesOf(trials), executed });
  });
}

test("ProgramUpgrade tries a program once for requests at the same time", async () => {
  await withUpgrade(async ({ upgrade, trials, executed }) => {
    assert.deepEqual(await Promise.all([upgrade.try(), upgrade.try()]), ["9.0.0", "9.0.0"]);
    assert.deepEqual(trials(), ["first"]);
    await upgrade.run();
    assert.deepEqual([trials().length, executed.length], [1, 1]);
  });
});

test("ProgramUpgrade tries a program again that was replaced after its trial", async () => {
  await withUpgrade(async ({ upgrade, replace, trials, executed }) => {
    await upgrade.try();
    replace(`echo '{"version":"9.1.0"}'`);
    await upgrade.run();
    assert.deepEqual([trials().length, executed.length], [1, 1]);
  });
});

test("ProgramUpgrade tries a program again if the configuration was changed after its trial", async () => {
  await withUpgrade(async ({ upgrade, configure, trials, executed }) => {
    await upgrade.try();
    configure("second");
    await upgrade.run();
    assert.deepEqual([trials(), executed.length], [["first", "first"], 1]);
  });
});

test("ProgramUpgrade hands its sockets over only to a program that takes them", async () => {
  await withUpgrade(async ({ upgrade, replace, executed }) => {
    await upgrade.try();
    await upgrade.run();
    replace(`echo '{"version":"9.1.0","takes_sockets":true}'`);
    await upgrade.try();
    await upgrade.run();
    assert.deepEqual(executed, ["", "7"]);
  });
});

test("ProgramUpgrade gives a second trial no longer than commands can wait", async () => {
  await withUpgrade(async ({ upgrade, replace, executed }) => {
    await upgrade.try();
    replace("exec sleep 60");
    assert.match(await upgrade.run(), /does not start: it took longer than 1 s$/);
    assert.deepEqual(executed, ["anew"]);
  });
});

test("ProgramUpgrade runs nothing that was replaced after its trial and does not start", async () => {
  await withUpgrade(async ({ upgrade, replace, executed }) => {
    await upgrade.try();
    replace("exit 1");
    lines.length = 0;
    assert.match(await upgrade.run(), /does not start: it exited with code 1$/);
    assert.deepEqual(executed, ["anew"]);
    const [, , { level, message, fields }] = lines as [LoggedLine, LoggedLine, LoggedLine];
    assert.deepEqual([level, message], [
      "error",
      "The daemon was not upgraded: it starts again as it was",
    ]);
    assert.match(String(fields?.problem), /does not start: it exited with code 1$/);
  });
});
