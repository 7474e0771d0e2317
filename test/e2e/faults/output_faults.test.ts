import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { logMessages, runJob } from "../../support/processes/run_job.ts";

/** Rows of the fault catalogue about what jobs print, each on the compiled file. */

interface View {
  readonly uuid: string;
  readonly state: string;
  readonly error?: { readonly message: string };
}

interface Line {
  readonly message: string;
  readonly level: string;
  readonly source: string;
}

async function run(daemon: Daemon, ...args: string[]): Promise<View> {
  const { stdout, stderr } = await daemon.jobctl(["schedule", ...args, "--wait"]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

async function logOf(daemon: Daemon, id: string): Promise<readonly Line[]> {
  const { stdout, stderr } = await daemon.jobctl(["logs", id, "-o", "json"]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

const messagesOf = async (daemon: Daemon, id: string) =>
  (await logOf(daemon, id)).map(({ message }) => message);

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** The output of two jobs: `npm run slow -- output` has 300 megabytes and a million lines. */
const MEGABYTES = Number(process.env["JOBCTL_OUTPUT_MEGABYTES"] ?? 60);
const LINES = MEGABYTES * 10_000 / 3;

test(`fault 49: ${MEGABYTES} megabytes and ${LINES} lines are bounded, and the next job runs`, async () => {
  const daemon = await startDaemon({
    toml: [
      `[worker]\ncount = 1`,
      `[defaults]\ntimeout = "100s"`,
      `[jobs.megabytes]\nrun = "head -c ${MEGABYTES}000000 /dev/zero | tr '\\\\0' x; echo; echo the end"`,
      `[jobs.lines]\nrun = "seq ${LINES} >&2"`,
      `[jobs.few]\nrun = "seq 100"\noutput = { lines_max = 10 }`,
    ].join("\n"),
    modules: {
      "flood.ts": `
        import type { Context } from "ts-job";
        export default function flood(ctx: Context): void {
          for (let i = 0; i < 30_000; i++) { console.log("line " + i); ctx.log.warn("log " + i); }
          console.error("the end");
        }`,
    },
  });
  try {
    for (const kind of ["megabytes", "lines", "flood"]) {
      const { uuid, state, error } = await run(daemon, kind);
      assert.equal(state, "completed", `${kind}: ${error?.message}`);
      const log = await logOf(daemon, uuid);
      const bytes = log.reduce((sum, { message }) => sum + message.length, 0);
      assert.ok(log.length <= 10_001, `${kind} kept ${log.length} lines`);
      assert.ok(bytes <= 1_048_576 + 200, `${kind} kept ${bytes} bytes`);
      const dropped = log.filter(({ source }) => source === "system");
      assert.match(dropped[0]!.message, /^\d+ lines \(\d+ bytes\) of output dropped here/);
      assert.equal(log.at(-1)!.message, kind === "lines" ? `${LINES}` : "the end");
    }
    assert.equal((await messagesOf(daemon, (await run(daemon, "few")).uuid)).length, 11);
    assert.ok(sizeOf(join(daemon.dir, "data")) < 30_000_000);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("fault 50: output without a newline, of invalid UTF-8 and with NUL is stored and shown safely", async () => {
  const daemon = await startDaemon({
    toml: [
      `[jobs.command]\nrun = 'printf "a\\377\\000b\\n\\355\\240\\200\\nno newline"'`,
      `[jobs.nothing]\nrun = "true"`,
    ].join("\n"),
    modules: {
      "bytes.ts":
        `export default () => void process.stdout.write(Uint8Array.of(97, 255, 0, 98, 10, 110));`,
    },
  });
  try {
    const { uuid } = await run(daemon, "command");
    assert.deepEqual(await messagesOf(daemon, uuid), [
      "a\ufffd␀b",
      "\ufffd\ufffd\ufffd",
      "no newline",
    ]);
    const bytes = await run(daemon, "bytes");
    assert.deepEqual(await messagesOf(daemon, bytes.uuid), ["a\ufffd␀b", "n"]);
    assert.deepEqual(await messagesOf(daemon, (await run(daemon, "nothing")).uuid), []);
    const { stdout } = await daemon.jobctl(["logs", uuid, "-o", "table"]);
    assert.match(stdout, /INFO {2}a\ufffd␀b\n/);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("fault 81: no argument reaches a shell as code, by position, by name or by standard input", async () => {
  const daemon = await startDaemon({
    toml: [
      `[jobs.line]`,
      `run = 'printf "%s|" "$1" "$JOB_ARG_1" "$JOB_ARG_text"; cat'`,
      `params = "text: string, body: string"`,
      `stdin = { arg = "body" }`,
      `allow_dash = true`,
      `[jobs.argv]`,
      `command = ["/usr/bin/printf", "%s|"]`,
      `params = "text: string"`,
      `allow_dash = true`,
      `[jobs.env]`,
      `run = 'printf "%s|" "$TEXT"'`,
      `env = { TEXT = "$(touch made); \`touch made\`" }`,
    ].join("\n"),
  });
  const made = join(daemon.dir, "made");
  const printed = async (kind: string, args: readonly string[]) => {
    const { uuid } = await runJob(daemon, kind, { argumentsJson: JSON.stringify(args) });
    return (await logMessages(daemon, uuid)).join("\n");
  };
  try {
    for (
      const text of [
        `; touch ${made}`,
        `$(touch ${made})`,
        "`touch " + made + "`",
        `" && touch ${made} && "`,
        `' ; touch ${made} '`,
        `| touch ${made}\ntouch ${made}`,
        `$IFS*?[a]~\\`,
        `--version`,
      ]
    ) {
      assert.equal(await printed("line", [text, text]), `${text}|${text}|${text}|${text}`);
      assert.equal(await printed("argv", [text]), `${text}|`);
    }
    assert.equal(await printed("env", []), "$(touch made); `touch made`|");
    assert.ok(!existsSync(made));
  } finally {
    await daemon.stop({ force: true });
  }
});

const STEERING = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \r over \u202eright";

test("fault 82: what would steer a terminal is made visible by jobctl, and exact as JSON", async () => {
  const daemon = await startDaemon({
    modules: {
      "steer.ts": `export default () => { console.log(${
        JSON.stringify(STEERING)
      }); throw new Error(${JSON.stringify(STEERING)}); };`,
    },
  });
  try {
    const { uuid } = await run(daemon, "steer");
    assert.equal((await messagesOf(daemon, uuid))[0], STEERING);
    const shown: string[] = [];
    for (const args of [["logs", uuid], ["get", "instance", uuid], ["list", "instances"]]) {
      shown.push((await daemon.jobctl([...args, "-o", "table"])).stdout);
      const command = [JOBCTL, ...args, "--port", String(daemon.port)].join(" ");
      const terminal = spawnSync("script", ["-qec", command, "/dev/null"], {
        encoding: "utf8",
        env: {
          ...process.env,
          JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock"),
          NO_COLOR: "1",
          TERM: "xterm",
        },
      });
      // A host without a program that makes a terminal has the half above.
      if (terminal.status === 0) shown.push(terminal.stdout.replaceAll("\r\n", "\n"));
    }
    for (const text of shown) {
      assert.match(text, /\\x1b\[31mred/);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("fault 83: a newline in a message forges no line of the log", async () => {
  const forged = "all well\n2026-01-01 00:00:00Z ERROR forged";
  const daemon = await startDaemon({
    modules: {
      "forge.ts": `
        import type { Context } from "ts-job";
        export default (ctx: Context, text: string) => {
          ctx.log.info(text);
          console.log("\\x1e" + text.replace("\\n", "\\x1e"));
        };`,
    },
  });
  try {
    const { uuid } = await run(daemon, "forge", forged);
    const log = await logOf(daemon, uuid);
    assert.deepEqual(log.map(({ message }) => message), [
      forged,
      `\x1e${forged.replace("\n", "\x1e")}`,
    ]);
    assert.ok(log.every(({ level }) => level === "info"));
    const { stdout } = await daemon.jobctl(["logs", uuid, "-o", "table"]);
    assert.equal(stdout.trimEnd().split("\n").length, 2);
    assert.match(stdout, /INFO {2}all well\\n2026/);
    // As many lines of the daemon's own log as without it.
    assert.ok(!daemon.log().split("\n").some((line) => line.startsWith("2026-01-01 00:00:00Z")));
  } finally {
    await daemon.stop({ force: true });
  }
});

test("fault 84: a secret given by reference is in no log, error, metric or answer", async () => {
  const secret = "correct horse battery";
  const token = "0123456789abcdef-operator";
  const daemon = await startDaemon({
    toml: [
      `[server.auth]`,
      `tokens = [{ name = "ci", role = "operator", token = { env = "CI_TOKEN" } }]`,
      `[log]\nlevel = "debug"`,
      `[jobs.leak]`,
      `run = 'echo "out $PW"; echo "denied for $PW at $DSN" >&2; exit 1'`,
      `env = { PW = { env = "TEST_PW" }, DSN = { file = "jobs/secret.txt" } }`,
    ].join("\n"),
    env: { TEST_PW: secret, CI_TOKEN: token },
    modules: { "secret.txt": "postgres://app:hunter22@db/app\n" },
  });
  try {
    const leaked = await run(daemon, "leak");
    assert.equal(leaked.state, "terminated");
    assert.match(leaked.error!.message, /denied for \*\*\* at \*\*\*/);
    assert.deepEqual(
      (await messagesOf(daemon, leaked.uuid)).sort(),
      ["denied for *** at ***", "out ***"],
    );
    const seen = [daemon.log(), JSON.stringify(leaked)];
    for (
      const args of [
        ["get", "instance", leaked.uuid, "-o", "json"],
        ["history", leaked.uuid],
        ["describe", "job", "leak", "-o", "json"],
        ["list", "jobs", "-o", "json"],
        ["status"],
        ["get", "instance", "--token", `${token}x`, "--host", "127.0.0.1", leaked.uuid],
      ]
    ) {
      const { stdout, stderr } = await daemon.jobctl(args);
      seen.push(stdout, stderr);
    }
    seen.push(await (await fetch(`http://127.0.0.1:${daemon.httpPort}/metrics`)).text());
    for (const text of seen) {
      for (const hidden of [secret, "hunter22", token]) {
        assert.ok(!text.replaceAll(`${token}x`, "").includes(hidden), text);
      }
    }
  } finally {
    await daemon.stop({ force: true });
  }
});
