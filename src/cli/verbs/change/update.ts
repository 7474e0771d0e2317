import { findSchedule, present } from "../../lookup/lookup.ts";
import { usageError } from "../../parsing/args.ts";
import { ARGS_JSON_OPTION, type OptionSpecs } from "../../parsing/options.ts";
import { CHANGE_OPTIONS, CLEARED, readRunOptions } from "../../lookup/run_options.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import { SCHEDULE_VIEW } from "../../views/schedule_view.ts";
import { confirm } from "../../lookup/confirm.ts";

const CLEARABLE = [...CLEARED.keys()];

const OPTIONS: OptionSpecs = {
  ...CHANGE_OPTIONS,
  clear: {
    value: "NAME",
    describe: `Remove: ${CLEARABLE.join(", ")}; repeatable`,
    choices: CLEARABLE,
  },
  "args-json": ARGS_JSON_OPTION,
};

const UPDATE_SCHEDULE: Verb = {
  name: "schedule",
  summary: "Change a recurring schedule that was created at run time",
  details: [
    "Settings that you do not give stay as they are. With new times the schedule starts anew:",
    "ticks from before the change are not made up for. To change a schedule of the configuration,",
    "edit its file.",
  ].join(" "),
  words: [{
    name: "ID",
    describe: "Id of the schedule, or any unambiguous part of it",
    offers: "schedule",
  }],
  options: OPTIONS,
  examples: [[
    "jobctl update schedule 01938f2c-7d3e --cron '0 3 * * *'",
    "Run at three from now on",
  ], [
    "jobctl update schedule 01938f2c-7d3e --clear ends-at",
    "Without an end",
  ]],
  async run(args, context) {
    const { client, printer } = context;
    const names = Object.keys(OPTIONS);
    if (args.given(names).length === 0) {
      throw usageError(
        "Cannot update the schedule: no change was given",
        `Give one or more of --${names.join(", --")}`,
      );
    }
    const request = {
      ...await readRunOptions(args, CHANGE_OPTIONS),
      argumentsJson: args.text("args-json"),
      clear: args.list("clear").map((name) => CLEARED.get(name)!),
    };
    const connection = await client();
    const { id, timezone } = await findSchedule(connection, args.word("ID"));
    const whose = "the zone of the schedule";
    const zone = () => Promise.resolve({ timezone: request.timezone ?? timezone, whose });
    const { recurrence } = await readRunOptions(args, CHANGE_OPTIONS, { args, context, zone });
    const { schedule } = await connection.updateSchedule({ id, ...request, recurrence });
    await printer.one(SCHEDULE_VIEW, present(schedule, `Cannot update schedule "${id}"`));
  },
};

/** `jobctl update …` */
export const UPDATE: VerbGroup = {
  name: "update",
  summary: "Change a recurring schedule",
  verbs: [UPDATE_SCHEDULE],
};

const DELETE_SCHEDULE: Verb = {
  name: "schedule",
  summary: "Delete a recurring schedule that was created at run time",
  details: "Its instances stay. To delete a schedule of the configuration, edit its file.",
  words: [{
    name: "ID",
    describe: "Id of the schedule, or any unambiguous part of it",
    offers: "schedule",
  }],
  options: { yes: { alias: "y", describe: "Do not ask", isFlag: true } },
  examples: [["jobctl delete schedule 01938f2c-7d3e --yes", "Delete without asking"]],
  async run(args, { io, client, printer }) {
    const connection = await client();
    const schedule = await findSchedule(connection, args.word("ID"));
    const what = `delete schedule ${schedule.id} (${schedule.kind}, "${schedule.cron}")`;
    await confirm(io, what, args.flag("yes"));
    await connection.deleteSchedule({ id: schedule.id });
    await printer.one(SCHEDULE_VIEW, schedule);
    await printer.note("Deleted");
  },
};

/** `jobctl delete …` */
export const DELETE: VerbGroup = {
  name: "delete",
  summary: "Delete a recurring schedule",
  verbs: [DELETE_SCHEDULE],
};
