import { JobError } from "../../../core/errors.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { VERSION } from "../../../platform/version.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { ConfigChange, ReloadConfigResponse } from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../io/exit_codes.ts";
import type { Printer } from "../../output/printer.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import type { Verb } from "../../verb/verb.ts";

/** Longest value of a setting that is shown, in characters. */
const VALUE_CHARS_MAX = 60;
/** Longest wait for the daemon to read thousands of jobs and their modules. */
const RELOAD_MS_MAX = 120_000;

/** An older daemon ignores a dry run, and reloads. @throws JobError `conflict` */
async function assertSameVersion(client: JobClient): Promise<void> {
  const { version } = await client.getVersion({});
  if (version === VERSION) return;
  throw new JobError(
    "conflict",
    `Cannot use --dry-run: the daemon has version ${makeVisible(version)}, and this is ${VERSION}`,
    { hint: "Run the jobctl of the daemon's version, or jobctl check" },
  );
}

function valueText(json: string | undefined): string {
  if (json === undefined) return "default";
  const text = makeVisible(json);
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}

function settingText({ path = "", beforeJson, afterJson, needsRestart }: ConfigChange): string {
  const later = needsRestart ? "  (after a restart)" : "";
  return `${makeVisible(path)}  ${valueText(beforeJson)} → ${valueText(afterJson)}${later}`;
}

/** A setting that is new in the file, or missing now. */
function ownLine({ change, path = "", beforeJson, afterJson, needsRestart }: ConfigChange): string {
  const later = needsRestart ? "  (after a restart)" : "";
  const value = valueText(change === "added" ? afterJson : beforeJson);
  return `${makeVisible(path)} = ${value}${later}`;
}

function changeLines(report: ReloadConfigResponse, { paint }: Printer): string[] {
  const { changes, moreChanges } = report;
  const marks = {
    added: paint("+", "good"),
    enabled: paint("+", "good"),
    removed: paint("-", "bad"),
    disabled: paint("-", "bad"),
    changed: paint("~", "warn"),
  } as Readonly<Record<string, string>>;
  const settings = changes.filter(({ path }) => path !== undefined);
  const lines = changes.filter(({ kind }) => kind !== undefined).flatMap((one) => {
    const { change, kind = "", keys } = one;
    // New and removed ones are shown whole.
    const own = settings.filter(({ path }) => path!.startsWith(`jobs.${kind}.`));
    const does = change === "added" || change === "removed" ? "" : ` ${change}`;
    const what = change === "changed" ? `: ${keys.map(makeVisible).join(", ")}` : does;
    const line = `${marks[change] ?? "?"} job ${makeVisible(kind)}${what}`;
    return [line, ...change === "changed" ? own.map((each) => `    ${settingText(each)}`) : []];
  });
  // Changes of other jobs have no effect: the job is disabled, or only its spelling changed.
  const others = settings.filter(({ path }) => !path!.startsWith("jobs."))
    .map((setting) => {
      const text = setting.change === "changed" ? settingText(setting) : ownLine(setting);
      return `${marks[setting.change] ?? "?"} ${text}`;
    });
  const more = moreChanges > 0 ? [`and ${countText(moreChanges, "more change")}`] : [];
  return [...lines, ...others, ...more];
}

function reportLines(
  report: ReloadConfigResponse,
  isDryRun: boolean,
  printer: Printer,
): string[] {
  const { jobs, added, changed, removed, problems } = report;
  const counts = `${added} added, ${changed} changed, ${removed} removed`;
  const isWhole = problems.length === 0;
  const done = isDryRun
    ? isWhole ? "A reload would give" : "A reload would have problems, and give"
    : isWhole
    ? "Reloaded:"
    : "Reloaded in part, with problems:";
  const lines = changeLines(report, printer);
  return [
    `${done} ${countText(jobs, "job")} (${counts})`,
    ...lines.length > 0 ? lines : ["Nothing has changed"],
  ];
}

/** `jobctl reload` */
export const RELOAD: Verb = {
  name: "reload",
  summary: "Reload the daemon's configuration, and show what has changed",
  details: [
    "Does the same as a SIGHUP, waits until the new configuration is in force or refused, and lists",
    "what has changed. A job with a problem is disabled. If an included file cannot be read, its",
    "jobs stay as they are. With any other problem the old configuration stays. It also stays if",
    "more than half of the jobs would be removed or disabled, for example by an empty or truncated",
    "file, unless --force is given. Exit codes: 0 it reloaded, 2 there are problems, which stderr",
    "lists, 6 it would remove or disable more than half of the jobs.",
  ].join(" "),
  options: {
    force: {
      describe: "Reload even if more than half of the jobs would be removed or disabled",
      isFlag: true,
    },
    "dry-run": { describe: "Show what a reload would change, and apply nothing", isFlag: true },
  },
  examples: [
    ["jobctl check && jobctl reload", "Check the configuration, then apply it"],
    ["jobctl reload --dry-run", "What would change"],
    ["jobctl reload --force", "Remove most jobs on purpose"],
  ],
  async run(args, context) {
    const { printer, io } = context;
    const isDryRun = args.flag("dry-run");
    const client = await context.client();
    if (isDryRun) await assertSameVersion(client);
    const timeoutMs = args.given(["call-timeout"]).length > 0 ? undefined : RELOAD_MS_MAX;
    const report = await client.reloadConfig(
      { force: args.flag("force"), dryRun: isDryRun },
      { timeoutMs },
    );
    const lines = reportLines(report, isDryRun, printer);
    await printer.details((of) => of(report), String(report.jobs), lines);
    for (const section of report.restart) {
      const text = `[${makeVisible(section)}] has changed: restart the daemon to apply it`;
      await writeMessage(io, text);
    }
    for (const problem of report.problems) await writeMessage(io, makeVisible(problem));
    return report.problems.length === 0 ? 0 : EXIT.usage;
  },
};
