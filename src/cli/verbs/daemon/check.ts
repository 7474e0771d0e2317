import { formatProblem } from "../../../config/problems.ts";
import type { ConfigProblem } from "../../../core/job/job_table.ts";
import { REBOOT } from "../../../core/job/schedule.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeLinesVisible, makeVisible } from "../../../core/text/safe_text.ts";
import type { CheckResult, JobCheck } from "../../../tools/check.ts";
import { EXIT } from "../../exit_codes.ts";
import type { Printer } from "../../output/printer.ts";
import type { PlainRecord } from "../../output/view.ts";
import { CONFIG_OPTION, loadOptionsOf, neededConfigFile } from "../../parsing/config_file.ts";
import type { Verb } from "../../verb.ts";

function problemRecord(problem: ConfigProblem): PlainRecord {
  const { place, path, message, hint, job } = problem;
  return { ...place, path, message, hint, job: job ?? undefined };
}

function checkRecord(result: CheckResult): PlainRecord {
  return {
    file: result.file,
    is_usable: result.isUsable,
    problems: result.problems.map(problemRecord),
    warnings: result.warnings.map(problemRecord),
    notes: result.notes.map(problemRecord),
    not_enabled: [...result.notEnabled],
    jobs: result.jobs.map((job) => ({
      kind: job.kind,
      description: job.description,
      source: job.source,
      usage: job.usage,
      operator: job.operator,
      schedules: job.schedules.map(({ schedule, timezone, next }) => ({
        schedule,
        timezone,
        next: next.map((run) => run.utc),
        ...(next.some(({ note }) => note !== null) ? { notes: next.map(({ note }) => note) } : {}),
      })),
    })),
  };
}

function problemLines(
  problem: ConfigProblem,
  label: string,
): string[] {
  const { hint, ...rest } = problem;
  const line = `${label} ${makeLinesVisible(formatProblem(rest))}`;
  return hint === undefined ? [line] : [line, `  ${makeLinesVisible(hint)}`];
}

function jobLines(job: JobCheck): string[] {
  const lines = [`${makeVisible(job.kind)}  (${makeVisible(job.source)})`];
  if (job.usage !== "") lines.push(`  ${makeLinesVisible(job.usage).replaceAll("\n", "\n  ")}`);
  lines.push(`  operator: ${makeLinesVisible(job.operator)}`);
  for (const { schedule, timezone, next } of job.schedules) {
    lines.push(`  ${makeVisible(schedule)}  ${timezone}`);
    for (const { local, relative, note } of next) {
      lines.push(`    ${local}  ${relative}${note === null ? "" : `  ${makeVisible(note)}`}`);
    }
    if (next.length === 0) {
      lines.push(schedule === REBOOT ? "    at each start of the daemon" : "    never");
    }
  }
  return lines;
}

function checkLines(result: CheckResult, printer: Printer): string[] {
  const lines = result.jobs.flatMap((job) => [...jobLines(job), ""]);
  for (const kind of result.notEnabled) {
    lines.push(`${makeVisible(kind)}  (enabled = false: it does not run)`, "");
  }
  const bad = printer.paint("error:", "bad");
  const warn = printer.paint("warning:", "warn");
  for (const problem of result.problems) lines.push(...problemLines(problem, bad));
  for (const problem of result.warnings) lines.push(...problemLines(problem, warn));
  for (const problem of result.notes) lines.push(...problemLines(problem, "note:"));
  const file = makeVisible(result.file ?? "the built-in configuration");
  const count = result.problems.length;
  if (count === 0) lines.push(`${file} is good: ${countText(result.jobs.length, "job")}`);
  else lines.push(`${file}: ${countText(count, "problem")}`);
  return lines;
}

/** `jobctl check` */
export const CHECK: Verb = {
  name: "check",
  summary: "Check the configuration and every job, and show the next three runs of each",
  details: [
    "Also shows what an operator may pass to each job, and warns about commands that execute",
    "their arguments. Looks for the programs, files and hosts of channels. Works without a daemon.",
    "The exit code is 2 if there is a problem.",
  ].join(" "),
  options: { config: CONFIG_OPTION },
  examples: [["jobctl check --config config.toml", "Before a deployment, or in CI"]],
  isOffline: true,
  async run(args, { io, printer }) {
    const file = neededConfigFile(args, io.cwd, "check the configuration");
    const { checkConfig } = await import("../../../tools/check.ts");
    const result = await checkConfig(file, loadOptionsOf(io));
    await printer.details(checkRecord(result), file, checkLines(result, printer));
    return result.isUsable && result.problems.length === 0 ? EXIT.ok : EXIT.usage;
  },
};
