import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { post, segment } from "../../api/client.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import { href } from "../../state/router.ts";
import { change, toastDone } from "../../parts/toasts.tsx";
import { after, nowMs } from "../../browser/clock.ts";
import type { BackfillResponse } from "../../gen/api_types.ts";
import { Button } from "../../parts/button.tsx";
import { CopyCommand } from "../../parts/command.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Time } from "../../parts/time.tsx";
import { plural } from "../../text/format_time.ts";

const COUNT_MS = 300;
const DAY_MS = 86_400_000;

/** Text of an input for local times. */
function localText(atMs: number): string {
  const local = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

function instantOf(text: string): string | null {
  const ms = new Date(text).getTime();
  return Number.isFinite(ms) ? new Date(ms).toISOString() : null;
}

/** Run the past ticks of a job that did not run, after counting them. */
export function BackfillDialog({ kind, onClose }: {
  readonly kind: string;
  readonly onClose: () => void;
}): JSX.Element {
  const from = useSignal(localText(nowMs() - DAY_MS));
  const to = useSignal(localText(nowMs()));
  const counted = useSignal<BackfillResponse | null>(null);
  const problem = useSignal<Problem | null>(null);
  const range = { from: instantOf(from.value), to: instantOf(to.value) };
  const path = `/jobs/${segment(kind)}/schedules/backfill`;
  useEffect(() => {
    counted.value = null;
    problem.value = null;
    if (range.from === null || range.to === null) return;
    const abort = new AbortController();
    const cancel = after(COUNT_MS, () => {
      post<BackfillResponse>(path, { ...range, dry_run: true }, abort.signal).then(
        (response) => counted.value = response,
        (error) => {
          if (!abort.signal.aborted) problem.value = toProblem(error);
        },
      );
    });
    return () => {
      cancel();
      abort.abort();
    };
  }, [from.value, to.value]);
  const run = async () => {
    const isDone = await change(async () => {
      const done = await post<BackfillResponse>(path, range);
      toastDone(`Backfilled ${plural(done.count, "tick")}`, {
        link: { href: href("/instances", { kind }), text: "Show" },
      });
    });
    if (isDone) onClose();
  };
  const count = counted.value?.count ?? 0;
  const field = (id: string, label: string, value: typeof from) => (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="datetime-local"
        class="input input-wide"
        value={value.value}
        onInput={(event) => value.value = event.currentTarget.value}
      />
    </div>
  );
  return (
    <Dialog title={`Backfill ${kind}`} onClose={onClose}>
      <p class="hint">Runs the past ticks that did not run, the oldest first.</p>
      {field("backfill-from", "From", from)}
      {field("backfill-to", "Before", to)}
      <p role="status">
        {problem.value !== null && <span class="bad-text">{problem.value.message}</span>}
        {counted.value !== null && (count === 0 ? "Every tick of this range ran." : (
          <>
            {plural(count, "tick")} did not run: from <Time at={counted.value.first} /> to{" "}
            <Time at={counted.value.last} />.
          </>
        ))}
      </p>
      <CopyCommand
        words={["backfill", kind, "--from", range.from ?? "", "--to", range.to ?? ""]}
      />
      <div class="dialog-actions">
        <Button
          class="button button-main"
          disabled={count === 0}
          onClick={() => void run()}
        >
          Run {plural(count, "tick")}
        </Button>
      </div>
    </Dialog>
  );
}
