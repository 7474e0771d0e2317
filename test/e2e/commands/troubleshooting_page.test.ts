import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import test, { after, before } from "node:test";
import { blocksOf, readPage } from "../../support/docs/pages.ts";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";

const COMMAND_MS_MAX = 60_000;
const TOML = `[notices.ops]
to = "exec"
command = ["/bin/true"]

[jobs.backup]
run = "echo saved"
schedule = "30 2 * * *"
`;

// They need another program, another server, or do not end.
const ELSEWHERE = /^(?:journalctl|systemctl)\b|--store valkey|logs ID -f$/;

const COMMANDS = ["docs/troubleshooting.md", "docs/concepts.md"].flatMap((path) =>
  blocksOf(readPage(path)).filter(({ language }) => language === "sh")
    .flatMap(({ body }) => body.trimEnd().split("\n"))
    .map((line) => line.replace(/^sudo /, "").replace(/\s+#.*$/, ""))
    .filter((line) => !ELSEWHERE.test(line))
);

let daemon: Daemon;
/** A finished instance. */
let id: string;

before(async () => {
  daemon = await startDaemon({ toml: TOML });
  const { stdout } = await daemon.jobctl(["schedule", "backup", "--wait", "-o", "name"]);
  id = stdout.trim();
});

after(async () => {
  await daemon?.stop();
});

/** The id that a command needs: only a waiting instance can be canceled. */
async function idFor(line: string): Promise<string> {
  if (!line.startsWith("jobctl cancel ")) return id;
  const { stdout } = await daemon.jobctl(["schedule", "backup", "--in", "1h", "-o", "name"]);
  return stdout.trim();
}

function runLine(line: string): Promise<{ readonly code: number; readonly output: string }> {
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("JOBCTL_"));
  const env = {
    ...Object.fromEntries(clean),
    PATH: `${dirname(JOBCTL)}${delimiter}${process.env.PATH}`,
    JOBCTL_PORT: String(daemon.port),
    JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock"),
  };
  return new Promise((resolve) => {
    const options = { cwd: daemon.dir, env, timeout: COMMAND_MS_MAX };
    execFile("/bin/sh", ["-c", line], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
  });
}

test("the pages have commands", () => {
  assert.ok(COMMANDS.length >= 30, `found ${COMMANDS.length}`);
});

for (const line of new Set(COMMANDS)) {
  test(`docs/troubleshooting.md or docs/concepts.md has a command that works: ${line}`, async () => {
    const own = line.replace(/\bID\b/, await idFor(line))
      .replace("/etc/jobctl/config.toml", "config.toml");
    const { code, output } = await runLine(own);
    // What the doctor finds depends on the machine.
    const codes = own.startsWith("jobctl doctor") ? [0, 1, 2] : [0];
    assert.ok(codes.includes(code), `exit code ${code}\n${output}`);
  });
}
