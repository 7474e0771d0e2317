// Makes docs/images/terminal.svg of what the compiled file prints: bun scripts/docs/terminal.ts
// Each command runs on a terminal of its own, which script of util-linux makes.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Daemon, JOBCTL, startDaemon } from "../../test/support/processes/daemon.ts";
import { terminalPicture } from "./ansi.ts";

const PICTURE = fileURLToPath(new URL("../../docs/images/terminal.svg", import.meta.url));
const COLUMNS = 110;

const TOML = `[jobs.backup]
run = "sleep 1; echo saved 2431 files"
schedule = "30 2 * * *"

[jobs.sync-orders]
run = "echo 'the shop does not respond' >&2; exit 75"
schedule = "*/15 * * * *"
`;
const REPORT = `export default function report(day: Date, copies = 1): string {
  return \`\${copies} × report of \${day.toISOString().slice(0, 10)}\`;
}
`;

/** Run before the picture is taken. */
const BEFORE = [
  "jobctl schedule backup --wait",
  "jobctl schedule sync-orders --wait",
  "jobctl schedule report 2026-11-28 2 --wait",
];
const SHOWN = [
  "jobctl list timers",
  "jobctl schedule report 2026-11-28 many",
  "jobctl list instances",
  "jobctl explain $(jobctl list dead -o name)   # why did it fail?",
];

function onTerminal(daemon: Daemon, command: string): string {
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("JOBCTL_"));
  const line = `stty cols ${COLUMNS} rows 50; ${command}`;
  const { stdout, error } = spawnSync("script", ["-qec", line, "/dev/null"], {
    cwd: daemon.dir,
    env: {
      ...Object.fromEntries(clean),
      PATH: `${dirname(JOBCTL)}${delimiter}${process.env.PATH}`,
      TERM: "xterm-256color",
      JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock"),
    },
  });
  if (error) throw error;
  return stdout.toString().replaceAll("\r\n", "\n");
}

const daemon = await startDaemon({
  toml: TOML,
  modules: { "report.ts": REPORT },
  env: { JOBCTL_NODE_ID: "web1" },
});
try {
  for (const command of BEFORE) onTerminal(daemon, command);
  const texts = SHOWN.map((command) =>
    `\u001b[1m$ ${command}\u001b[0m\n${onTerminal(daemon, command)}`
  );
  const title = `A terminal with ${SHOWN.join(", ")}`;
  writeFileSync(PICTURE, terminalPicture(texts.join("\n"), { columns: COLUMNS, title }));
  console.log(`Wrote ${PICTURE}`);
} finally {
  await daemon.stop();
}
