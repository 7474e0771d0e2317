import type { JobInstance, ScheduleJobResponse } from "../rpc/gen/job_pb.ts";
import { EXIT } from "./exit_codes.ts";
import { present } from "./lookup.ts";
import { makeVisible } from "../core/text/safe_text.ts";
import type { VerbContext } from "./verb.ts";
import { instanceLines } from "./views/details.ts";
import { INSTANCE_VIEW } from "./views/instance_view.ts";
import { isFinalState, stateName } from "./wire.ts";

/** Print the response to a dry run. */
export async function printPreview(
  answer: ScheduleJobResponse,
  { printer }: VerbContext,
): Promise<void> {
  const preview = present(answer.instance, "Cannot make a dry run");
  const { kind, priority, arguments: converted } = preview;
  const { due_at } = INSTANCE_VIEW.record(preview);
  const record = {
    kind,
    arguments: JSON.stringify(converted),
    priority,
    ...(answer.schedule
      ? { crontab: answer.schedule.cron, timezone: answer.schedule.timezone || undefined }
      : { due_at }),
    dry_run: true,
  };
  const lines = converted.map((text, index) => `  ${index + 1}. ${makeVisible(text)}`);
  await printer.details(record, kind, [
    `Nothing was queued. Job ${makeVisible(kind)} would be given ${
      lines.length === 0 ? "no arguments" : "these arguments:"
    }`,
    ...lines,
  ]);
}

/** Print an instance as it is now. Returns the exit code for its outcome. */
export async function printRun(
  instance: JobInstance,
  { printer }: VerbContext,
): Promise<number> {
  const record = INSTANCE_VIEW.record(instance);
  await printer.details(record, instance.uuid, instanceLines(instance, printer));
  if (!isFinalState(instance.state)) {
    await printer.note(
      `The wait ended before the instance did: jobctl get instance ${instance.uuid}`,
    );
    return EXIT.timedOut;
  }
  return stateName(instance.state) === "Completed" ? EXIT.ok : EXIT.conditionNotMet;
}
