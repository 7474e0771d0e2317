import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { loadText } from "../../support/worlds/config_world.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const JOBS_PAGE = readFileSync(join(ROOT, "docs", "jobs.md"), "utf8");
const COMMAND_MS_MAX = 30_000;

/** The blocks of one language in a page. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))]
    .map((match) => match[1]!);
}

const COMMANDS = blocks(README, "sh").flatMap((block) => block.trimEnd().split("\n"));
// The CI runs npm's two on fresh clones: run here, the one would build over the file under test,
// and the other would run itself. Packages are installed where a system boots in a container.
const OWN_RUNS = /^(npm (start|test)|sudo apt install)\b/;
const JOB_FILE = /Put this in `jobs\/(\S+?)`/.exec(README)?.[1];
const JOB = blocks(README, "ts")[0]!;

let daemon: Daemon;
/** A finished instance. */
let id: string;

/** The id that a command needs: of a schedule, or of a waiting or a finished instance. */
async function idFor(line: string): Promise<string> {
  const options = line.startsWith("jobctl delete schedule")
    ? ["--cron", "0 0 1 1 *"]
    : line.startsWith("jobctl cancel")
    ? ["--in", "1h"]
    : null;
  if (options === null) return id;
  const { stdout } = await daemon.jobctl(["schedule", "sum", "1", "2", ...options]);
  const accepted = JSON.parse(stdout);
  return accepted.uuid ?? accepted.id;
}

/** The example configuration and its jobs, with the one that the page adds. */
before(async () => {
  const names = readdirSync(join(ROOT, "jobs")).filter((name) => name.endsWith(".ts"));
  const examples = names.map((name) => [name, readFileSync(join(ROOT, "jobs", name), "utf8")]);
  daemon = await startDaemon({
    toml: readFileSync(join(ROOT, "config.example.toml"), "utf8"),
    modules: { ...Object.fromEntries(examples), [JOB_FILE!]: JOB },
  });
  const { stdout } = await daemon.jobctl(["schedule", "sum", "1", "2", "--wait"]);
  id = JSON.parse(stdout).uuid;
});

after(async () => {
  await daemon?.stop();
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run a line as a newcomer's shell does; a daemon is asked to stop once it is ready. */
function runLine(line: string): Promise<Outcome> {
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("JOBCTL_"));
  const isServe = line.startsWith("jobctl serve");
  const env = {
    ...Object.fromEntries(clean),
    PATH: `${dirname(JOBCTL)}${delimiter}${process.env.PATH}`,
    ...(isServe
      ? {
        JOBCTL_SERVER_PORT: "0",
        JOBCTL_SERVER_HTTP: "127.0.0.1:0",
        JOBCTL_SERVER_SOCKET: join(daemon.dir, "second.sock"),
        JOBCTL_SERVER_AUTH_TOKEN_FILE: join(daemon.dir, "second.token"),
      }
      : { JOBCTL_PORT: String(daemon.port), JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock") }),
  };
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", isServe ? `exec ${line}` : line], {
      cwd: daemon.dir,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    let isStopping = false;
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        output[name] += text;
        if (isServe && !isStopping && output[name].includes(" is ready ")) {
          isStopping = true;
          child.kill("SIGTERM");
        }
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_MS_MAX);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, ...output });
    });
  });
}

test("README.md has commands, a job and a table", () => {
  assert.ok(COMMANDS.length >= 10, `found ${COMMANDS.length}`);
  assert.ok(JOB_FILE, "It does not say where the job belongs");
  assert.equal(JOB.trim().split("\n").length, 5);
  assert.ok(blocks(README, "toml").length > 0);
});

for (const line of COMMANDS.filter((one) => !OWN_RUNS.test(one))) {
  test(`README.md has a command that works: ${line}`, async () => {
    // The tests' daemon is their own user's.
    const own = line.replace(/^sudo /, "");
    const { code, stdout, stderr } = await runLine(own.replace(/\bID\b/, await idFor(own)));
    // What the doctor warns of depends on the machine.
    const codes = own.startsWith("jobctl doctor") ? [0, 1] : [0];
    assert.ok(codes.includes(code!), `${stdout}${stderr}`);
  });
}

test("README.md has a job that runs as it says", async () => {
  const run = await daemon.jobctl(["schedule", "product", "6", "7", "--wait"]);
  const { uuid, results } = JSON.parse(run.stdout);
  assert.deepEqual(results, [42]);
  const logs = JSON.parse((await daemon.jobctl(["logs", uuid])).stdout);
  assert.ok(logs.some(({ message }: { message: string }) => message === "multiplying 6 by 7"));
});

test("README.md has a call that is refused as it says", async () => {
  const { code, stderr } = await runLine("jobctl schedule product 6 seven");
  assert.equal(code, 2);
  assert.match(stderr, /"y".*"seven"/);
});

for (const [page, text] of [["README.md", README], ["docs/jobs.md", JOBS_PAGE]] as const) {
  for (const [index, toml] of blocks(text, "toml").entries()) {
    test(`${page} has a table ${index + 1} that loads without problems`, async () => {
      const { problems, warnings } = await loadText(toml);
      // Secrets of an example are not on this host.
      const isElsewhere = (text: string) => /cannot read the secret file "\/run\//.test(text);
      assert.deepEqual([...problems, ...warnings].filter((text) => !isElsewhere(text)), []);
    });
  }
}
