import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Daemon, JOBCTL, runJobctl } from "../../../test/support/processes/daemon.ts";
import { programPath } from "../../programs/install.mjs";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { quantile } from "../statistics.ts";
import { withDaemon } from "../with_daemon.ts";

const ROUNDS = 100;
const TARGET_MS = 40;

/** Where the Tab is pressed. */
const LINES = {
  verbs: "jobctl ",
  verb: "jobctl li",
  option: "jobctl list instances --st",
  kind: "jobctl get job my",
  value: "jobctl schedule 'my $report' --region ",
} as const;
const NAMES = Object.keys(LINES) as (keyof typeof LINES)[];

const TOML = `[jobs.'my $report']\ncommand = ["true"]\nparams = "region: 'eu' | 'us east'"\n`;

/** Prints the time that each Tab takes, in microseconds. In turns: the machine's speed changes. */
const SCRIPT = `
source /dev/stdin
rounds=$1 COMP_WORDS=("$2")
shift 2
for ((round = 0; round < rounds; round++)); do
  for COMP_LINE; do
    COMP_POINT=\${#COMP_LINE}
    begun=\${EPOCHREALTIME/./}
    _jobctl
    echo $((\${EPOCHREALTIME/./} - begun)) \${#COMPREPLY[@]}
  done
done`;

async function tab(settings: Settings): Promise<Figures> {
  return await withDaemon(settings, TOML, async (daemon) => await measure(settings, daemon));
}

async function measure(settings: Settings, daemon: Daemon): Promise<Figures> {
  const { stdout: input } = await runJobctl(["completion", "bash"]);
  const rounds = scaled(settings, ROUNDS, 2);
  const args = [String(rounds), JOBCTL, ...Object.values(LINES)];
  const env = { ...process.env, LC_ALL: "C", JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock") };
  const bash = ["--norc", "-c", SCRIPT, "bash"];
  const run = spawnSync(programPath("bash"), [...bash, ...args], { env, input, encoding: "utf8" });
  const tabs = run.stdout.trim().split("\n").map((line) => line.split(" ").map(Number));
  if (tabs.length !== rounds * NAMES.length || tabs.some(([, names]) => names === 0)) {
    throw new Error(`A Tab offers nothing: ${run.stdout}${run.stderr}`);
  }
  return Object.fromEntries(NAMES.flatMap((name, place) => {
    const ms = tabs.filter((_, index) => index % NAMES.length === place).map(([us]) => us! / 1_000);
    return [[name, quantile(ms, 0.5)], [`${name}-p95`, quantile(ms, 0.95)]];
  }));
}

/** The Tab key at a prompt. */
export const TAB: Scenario = {
  name: "tab",
  about: "the compiled file: a Tab in bash, from the key to what is offered (p50 and p95)",
  usesStore: false,
  figures: NAMES.flatMap((name) => [
    { name, unit: "ms", better: "lower", target: { any: TARGET_MS } },
    { name: `${name}-p95`, unit: "ms", better: "lower" },
  ]),
  run: tab,
};
