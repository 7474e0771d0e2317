// Makes docs/images/top.svg of what jobctl top of the compiled file shows: bun scripts/docs/top.ts
// It needs tmux.
import { writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { JOBCTL, startDaemon } from "../../test/support/processes/daemon.ts";
import { TmuxTerminal } from "../../test/support/processes/tmux.ts";
import { terminalPicture } from "./ansi.ts";

const PICTURE = fileURLToPath(new URL("../../docs/images/top.svg", import.meta.url));
const SIZE = { columns: 90, rows: 18 };

const TOML = `[jobs.backup]
run = "sleep 60"
schedule = "30 2 * * *"

[jobs.sync-orders]
run = "echo 'the shop does not respond' >&2; exit 75"
schedule = "*/15 * * * *"
`;
const REPORT = `import type { Context } from "ts-job";
export default async function report(ctx: Context): Promise<void> {
  ctx.progress(47, 100);
  await new Promise((done) => setTimeout(done, 60_000));
}
`;

const daemon = await startDaemon({
  toml: TOML,
  modules: { "report.ts": REPORT },
  env: { JOBCTL_NODE_ID: "web1", JOBCTL_WORKER_COUNT: "4" },
});
const terminal = new TmuxTerminal("jobctl top", {
  ...SIZE,
  cwd: daemon.dir,
  env: {
    PATH: `${dirname(JOBCTL)}${delimiter}${process.env.PATH}`,
    JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock"),
  },
});
try {
  await daemon.jobctl(["schedule", "sync-orders", "--wait"]);
  await daemon.jobctl(["schedule", "report"]);
  await daemon.jobctl(["schedule", "backup"]);
  await terminal.start();
  await terminal.shows(/47 %/);
  const title =
    "A terminal with jobctl top: two runs, one of them at 47 %, the next ones, and one that failed";
  writeFileSync(PICTURE, terminalPicture(terminal.coloredText, { ...SIZE, title }));
  console.log(`Wrote ${PICTURE}`);
} finally {
  terminal.close();
  await daemon.stop({ force: true });
}
