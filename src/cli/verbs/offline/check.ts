import { Excerpts } from "../../../config/excerpt.ts";
import type { ConfigProblem } from "../../../core/config_problem.ts";
import { REBOOT } from "../../../core/time/schedule.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeLinesVisible, makeVisible } from "../../../core/text/safe_text.ts";
import type { CheckResult, JobCheck } from "../../../tools/check.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { problemLines, type ProblemStyle } from "../../output/problem_lines.ts";
import type { Style } from "../../output/table.ts";
import type { PlainRecord } from "../../output/view.ts";
import { CONFIG_OPTION, loadOptionsOf, neededConfigFile } from "../../parsing/config_file.ts";
import type { Verb } from "../../verb/verb.ts";

/** Most problems of each sort that people are shown. */
const SHOWN_MAX = 100;

function problemRecord(problem: ConfigProblem): PlainRecord {
  const { place, path, message, hint, job } = problem;
  return { ...place, path, message, hint, job: job ?? undefined };
}

function checkRecord(result: CheckResult): PlainRecord {
  return {
    file: result.file,
    is_usable: result.isUsable,
    counts: {
      errors: result.problems.length,
      warnings: result.warnings.length,
      notes: result.notes.length,
    },
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

function jobLines(job: JobCheck): string[] {
  const lines = [`${makeVisible(job.kind)}  (${makeVisible(job.source)})`];
  // Without arguments, it equals the kind.
  if (job.usage !== "" && job.usage !== job.kind) {
    lines.push(`  ${makeLinesVisible(job.usage).replaceAll("\n", "\n  ")}`);
  }
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

function checkLines(
  result: CheckResult,
  { paint, cwd }: Pick<ProblemStyle, "paint"> & { readonly cwd: string },
): string[] {
  const lines = result.jobs.flatMap((job) => [...jobLines(job), ""]);
  for (const kind of result.notEnabled) {
    lines.push(`${makeVisible(kind)}  (enabled = false: it does not run)`, "");
  }
  const excerpts = new Excerpts(cwd);
  const add = (found: readonly ConfigProblem[], label: string, style?: Style) => {
    for (const problem of found.slice(0, SHOWN_MAX)) {
      lines.push(...problemLines(problem, excerpts, { label: `${label}:`, style, paint }));
    }
    const more = found.length - SHOWN_MAX;
    if (more > 0) lines.push(`and ${countText(more, `more ${label}`)}: -o json lists them all`);
  };
  add(result.notes, "note");
  add(result.warnings, "warning", "warn");
  // Last, so that they are in sight when the command ends.
  add(result.problems, "error", "bad");
  const file = makeVisible(result.file ?? "the built-in configuration");
  const { problems, warnings } = result;
  const counts = [
    ...(problems.length > 0 ? [countText(problems.length, "error")] : []),
    ...(warnings.length > 0 ? [countText(warnings.length, "warning")] : []),
  ].join(", ");
  const jobs = countText(result.jobs.length, "job");
  if (problems.length > 0) lines.push(`${file}: ${counts}`);
  else lines.push(`${file} is good: ${[jobs, counts].filter((text) => text !== "").join(", ")}`);
  return lines;
}

/** `jobctl check` */
export const CHECK: Verb = {
  name: "check",
  summary: "Check the configuration and every job, and show the next three runs of each",
  details: [
    "Also shows what an operator may pass to each job, and warns about commands that execute",
    "their arguments. Looks for the programs, folders, users and files that the configuration names.",
    "Reports all problems at once, each with its line and what to do. Works without a daemon.",
    "The exit code is 2 if there is an error, and with --strict also if there is a warning.",
  ].join(" "),
  options: {
    config: CONFIG_OPTION,
    strict: { describe: "Exit with 2 for warnings, too", isFlag: true },
  },
  examples: [
    ["jobctl check --config config.toml", "Before a deployment, or in CI"],
    ["jobctl check --strict", "Accept no warnings either"],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const file = neededConfigFile(args, io.cwd, "check the configuration");
    const { checkConfig } = await import("../../../tools/check.ts");
    const result = await checkConfig(file, loadOptionsOf(io));
    const { paint } = printer;
    await printer.details(checkRecord(result), file, checkLines(result, { paint, cwd: io.cwd }));
    const { isUsable, problems, warnings } = result;
    const counted = args.flag("strict") ? problems.length + warnings.length : problems.length;
    return isUsable && counted === 0 ? EXIT.ok : EXIT.usage;
  },
};
