import { isUuid } from "../../core/instance.ts";
import { NAMED_OPTIONS, type NamedOption, type RunOptionForm } from "../../core/job/run_options.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import { bigMs, type RequestOf, timestampOf } from "../io/wire.ts";
import { type Args, usageError } from "../parsing/args.ts";
import { type JobTimeInput, jobTimeMs } from "./job_time.ts";
import type { OptionSpec, OptionSpecs, ValueName } from "../parsing/options.ts";

/** An option of an instance or a schedule that the command line has. */
interface CommandOption extends NamedOption {
  readonly command: string;
  readonly help: string;
}

const COMMAND_OPTIONS: readonly CommandOption[] = NAMED_OPTIONS.flatMap((option) => {
  const { command = snakeCase(option.name).replaceAll("_", "-"), help } = option;
  return help === undefined ? [] : [{ ...option, command, help }];
});

const VALUE_NAMES: Readonly<Partial<Record<RunOptionForm, ValueName>>> = {
  choice: "RULE",
  duration: "DURATION",
  id: "ID",
  instant: "TIME",
  integer: "N",
  moment: "TIME",
};

function specOf(
  { form, valueName = VALUE_NAMES[form], words: choices }: CommandOption,
  describe: string,
): OptionSpec {
  return { value: valueName as ValueName, describe, ...(choices ? { choices } : {}) };
}

/** Names of the options that a single instance lacks, except `cron`. */
export const CRON_ONLY: readonly string[] = COMMAND_OPTIONS
  .filter(({ of, name }) => of === "schedule" && name !== "cron").map(({ command }) => command);
/** Names of the options that a schedule lacks. */
export const INSTANCE_ONLY: readonly string[] = COMMAND_OPTIONS
  .filter(({ of }) => of === "instance").map(({ command }) => command);

/** Options of a new instance or schedule. */
export const NEW_OPTIONS: OptionSpecs = Object.fromEntries(
  COMMAND_OPTIONS.map((option) => {
    const { command, help, heading = "How it runs" } = option;
    if (!CRON_ONLY.includes(command)) return [command, { ...specOf(option, help), heading }];
    const describe = `With --cron: ${help[0]!.toLowerCase()}${help.slice(1)}`;
    return [command, { ...specOf(option, describe), heading: "With --cron" }];
  }),
);

const CHANGED = COMMAND_OPTIONS.filter(({ of }) => of !== "instance");

/** Options of a change of a schedule. */
export const CHANGE_OPTIONS: OptionSpecs = Object.fromEntries(
  CHANGED.map((option) => [option.command, specOf(option, option.changeHelp ?? option.help)]),
);

/** Options that a change can remove, with their fields. */
export const CLEARED: ReadonlyMap<string, string> = new Map(
  CHANGED.filter(({ canClear }) => canClear).map((one) => [one.command, snakeCase(one.member)]),
);

function readUuid(args: Args, name: string): string | undefined {
  const uuid = args.text(name);
  if (uuid === undefined || isUuid(uuid.toLowerCase())) return uuid?.toLowerCase();
  throw usageError(
    `Cannot read --${name} "${makeVisible(uuid)}": not a UUID`,
    "Write it as 01938f2c-7d3e-7000-8000-000000000000, or leave it out",
  );
}

/** Settings for reading option times; by default they are in the zone of this terminal. */
type TimeInput = Omit<JobTimeInput, "direction">;

async function readOption(
  args: Args,
  { command, form, range: [min, max] }: CommandOption,
  input: TimeInput | undefined,
): Promise<unknown> {
  switch (form) {
    case "instant":
    case "moment":
      return timestampOf(
        input
          ? await jobTimeMs(command, { ...input, direction: "future" })
          : args.timeMs(command, "future"),
      );
    case "duration":
      return bigMs(args.durationMs(command));
    case "integer":
      return args.integer(command, { min, max });
    case "id":
      return readUuid(args, command);
    case "texts":
      return args.given([command]).length === 0 ? undefined : [...args.list(command)];
    default:
      return args.text(command);
  }
}

/**
 * The fields of a request that options set.
 *
 * @param specs of the verb
 * @param input default zone of the times; this terminal's if absent
 */
export async function readRunOptions(
  args: Args,
  specs: OptionSpecs,
  input?: TimeInput,
): Promise<RequestOf<"scheduleJob"> & RequestOf<"updateSchedule">> {
  const own: Record<string, unknown> = {};
  const recurrence: Record<string, unknown> = {};
  for (const option of COMMAND_OPTIONS) {
    if (specs[option.command] === undefined) continue;
    const value = await readOption(args, option, input);
    if (value !== undefined) (option.isInRecurrence ? recurrence : own)[option.member] = value;
  }
  return Object.keys(recurrence).length > 0 ? { ...own, recurrence } : own;
}
