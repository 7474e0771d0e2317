import assert from "node:assert/strict";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import test, { after, before } from "node:test";
import { displayWidth } from "../../../src/cli/output/table.ts";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { TmuxTerminal, WITHOUT_TMUX } from "../../support/processes/tmux.ts";

const REPORT = `
/** Fails with an error of several lines, which could steer a terminal. */
export default function report(day: string): void {
  throw new Error("週次レポート of " + day + " \\u001b[2J\\u202e is missing in a folder\\nat line 2");
}
`;
const TOML = `[jobs.a-job-with-a-very-long-name-that-nobody-would-type]
run = "echo 'rsync: connection to backup.example.com timed out' >&2; exit 30"
`;

let daemon: Daemon;

before(async () => {
  daemon = await startDaemon({ toml: TOML, modules: { "report.ts": REPORT } });
  await daemon.jobctl(["schedule", "report", "2026-11-28", "--wait", "--retries", "0"]);
  const long = "a-job-with-a-very-long-name-that-nobody-would-type";
  await daemon.jobctl(["schedule", long, "--wait", "--retries", "0"]);
});

after(async () => {
  await daemon?.stop();
});

/** What commands show on a terminal, without colors. */
async function shown(line: string, columns: number): Promise<string[]> {
  const terminal = new TmuxTerminal(line, {
    ...{ columns, rows: 60, cwd: daemon.dir },
    env: {
      PATH: `${dirname(JOBCTL)}${delimiter}${process.env.PATH}`,
      JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock"),
      NO_COLOR: "1",
    },
  });
  try {
    await terminal.start();
    const text = await terminal.shows(/^exit code \d+$/m);
    return text.split("\n").slice(0, -1);
  } finally {
    terminal.close();
  }
}

for (const columns of [60, 80, 120]) {
  test(`rows of a list are lines of a terminal of ${columns} columns`, {
    skip: WITHOUT_TMUX,
  }, async () => {
    const [head, long, report, ...rest] = await shown("jobctl list instances", columns);
    assert.deepEqual(rest, []);
    assert.match(head!, /^ID +KIND +STATE/);
    assert.match(long!, /^[0-9a-f]{8} {2}a-job-with-\S+ +failed: exit 30 .*(?:now|s ago)/);
    assert.match(report!, /^[0-9a-f]{8} {2}report +failed {2}/);
    for (const line of [head, long, report]) assert.ok(displayWidth(line!) <= columns, line!);
    if (columns >= 80) assert.match(long!, / rsync: connect/);
  });
}

test("a short id names its instance, whose description fits the terminal", {
  skip: WITHOUT_TMUX,
}, async () => {
  const lines = await shown(
    "jobctl get instance $(jobctl list dead --kind report | sed -n '$s/\\t.*//p' | tail -c 9)",
    60,
  );
  const text = lines.join("\n");
  assert.match(text, /^State: +failed$/m);
  assert.match(text, /^Error: +週次レポート of 2026-11-28 \\x1b\[2J\\u202e is$/m);
  assert.match(text, /^Stack: +at report$/m);
  assert.doesNotMatch(text, /^#/m);
  assert.match(text, /^Whole log: +jobctl logs [0-9a-f]{8}$/m);
});
