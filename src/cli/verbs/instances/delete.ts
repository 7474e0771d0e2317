import { confirm } from "../../confirm.ts";
import { findSchedule } from "../../lookup.ts";
import type { Verb, VerbGroup } from "../../verb.ts";
import { SCHEDULE_VIEW } from "../../views/schedule_view.ts";

const SCHEDULE: Verb = {
  name: "schedule",
  summary: "Delete a recurring schedule that was created at run time",
  details: "Its instances stay. To delete a schedule of the configuration, edit its file.",
  words: [{ name: "ID", describe: "Id of the schedule, or an unambiguous prefix of it" }],
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
    return 0;
  },
};

/** `jobctl delete …` */
export const DELETE: VerbGroup = {
  name: "delete",
  summary: "Delete a recurring schedule",
  verbs: [SCHEDULE],
};
