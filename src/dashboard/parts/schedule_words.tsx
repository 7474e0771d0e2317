import type { JSX } from "preact";
import { cronWords } from "../text/cron_words.ts";

/** A schedule: in words if possible, and as written. */
export function ScheduleWords({ cron }: { readonly cron: string }): JSX.Element {
  const words = cronWords(cron);
  if (words === null) return <code>{cron}</code>;
  return (
    <span class="schedule-words">
      {words} <code class="faint">{cron}</code>
    </span>
  );
}
