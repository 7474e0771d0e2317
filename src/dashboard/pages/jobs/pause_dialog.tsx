import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { post, remove, segment } from "../../api/client.ts";
import { change, toastDone } from "../../parts/toasts.tsx";
import { nowMs } from "../../browser/clock.ts";
import { readPauses } from "../../live/overview.ts";
import { CopyCommand } from "../../parts/command.tsx";
import { FormDialog } from "../../parts/dialog.tsx";
import { DurationField, TextField } from "../../parts/fields.tsx";
import { plural } from "../../text/format_time.ts";

/** The time at 9:00 of the next Monday, and other ends of a pause. */
function endsOf(now: Date): readonly (readonly [name: string, text: string, at: Date | null])[] {
  const inHours = (hours: number) => new Date(now.getTime() + hours * 3_600_000);
  const day = (days: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, 9, 0);
  return [
    ["", "Until it is resumed", null],
    ["1h", "For an hour", inHours(1)],
    ["4h", "For 4 hours", inHours(4)],
    ["tomorrow", "Until tomorrow, 9:00", day(1)],
    ["monday", "Until Monday, 9:00", day((8 - now.getDay()) % 7 || 7)],
  ];
}

/** Resume jobs, or everything. */
export async function resume(kinds: readonly string[] | undefined): Promise<void> {
  await change(async () => {
    for (const path of kinds?.map((kind) => `/pauses/${segment(kind)}`) ?? ["/pauses"]) {
      await remove(path);
    }
    toastDone(`Resumed ${kinds?.join(", ") ?? "everything"}`);
    await readPauses();
  });
}

/** Ask until when, and pause jobs, or everything. */
export function PauseDialog({ kinds, onClose }: {
  /** Absent for everything. */
  readonly kinds?: readonly string[];
  readonly onClose: () => void;
}): JSX.Element {
  const ends = endsOf(new Date(nowMs()));
  const name = useSignal("");
  const reason = useSignal("");
  const until = ends.find(([one]) => one === name.value)?.[2] ?? null;
  const subject = kinds?.join(", ") ?? "everything";
  const title = kinds === undefined || kinds.length === 1 ? subject : plural(kinds.length, "job");
  const pause = () =>
    change(async () => {
      for (const one of kinds?.map((kind) => ({ kind })) ?? [{}]) {
        await post("/pauses", {
          ...one,
          ...(until === null ? {} : { until: until.toISOString() }),
          ...(reason.value === "" ? {} : { reason: reason.value }),
        });
      }
      toastDone(`Paused ${subject}`, { undo: () => resume(kinds) });
      await readPauses();
    });
  return (
    <FormDialog title={`Pause ${title}`} verb="Pause" onSubmit={pause} onClose={onClose}>
      {title !== subject && <p>{subject}</p>}
      <p class="hint">
        Scheduled runs are skipped, and recorded as skipped. Other new instances wait. Running
        attempts continue.
      </p>
      <DurationField
        id="pause-until"
        value={name}
        choices={ends.map(([one, text]) => [one, text] as const)}
      />
      <TextField id="pause-reason" label="Reason" hint="shown to others" value={reason} />
      {(kinds ?? [undefined]).map((kind) => (
        <CopyCommand
          key={kind}
          words={[
            "pause",
            ...(kind === undefined ? [] : [kind]),
            ...(until === null ? [] : ["--until", until.toISOString()]),
            ...(reason.value === "" ? [] : ["--reason", reason.value]),
          ]}
        />
      ))}
    </FormDialog>
  );
}
