import type { JSX } from "preact";
import { get } from "../../api/client.ts";
import { SLOWLY, useLoaded } from "../../api/resource.ts";
import { href } from "../../state/router.ts";
import { nowMs } from "../../browser/clock.ts";
import type { ForecastResponse } from "../../gen/api_types.ts";
import { Section } from "../../parts/page.tsx";
import { Distance, Time } from "../../parts/time.tsx";

/** How many runs are shown. */
const RUNS = 5;
/** How far the daemon looks ahead: for frequent runs, and else nearly as far as it can. */
const NEAR_MS = 12 * 3_600_000;
const FAR_MS = 31 * 86_400_000;
/** More runs in that time would be counted instead of listed. */
const LISTED_MAX = 1_000;

/** The next runs of a job, as the scheduler will decide on them. */
export function NextRuns({ kind }: { readonly kind: string }): JSX.Element | null {
  const forecast = useLoaded(kind, async (signal) => {
    const read = (aheadMs: number) =>
      get<ForecastResponse>("/forecast", {
        to: new Date(nowMs() + aheadMs).toISOString(),
        kinds: [kind],
        limit: LISTED_MAX,
      }, signal);
    const near = await read(NEAR_MS);
    const { entries } = near.entries.length >= RUNS ? near : await read(FAR_MS);
    return entries.slice(0, RUNS);
  }, SLOWLY);
  const entries = forecast.data ?? [];
  if (entries.length === 0) return null;
  return (
    <Section
      title="Next runs"
      actions={<a href={href("/timeline", { kind })}>Timeline</a>}
    >
      <ul class="lines">
        {entries.map(({ at, outcome, why, schedule_id, instance_id, clock_change }) => (
          <li key={`${schedule_id ?? instance_id} ${at}`}>
            <Time at={at} />
            <span class="hint">
              <Distance at={at} />
            </span>
            {outcome !== "runs" && <span class="state tone-late">{outcome}</span>}
            {(outcome !== "runs" || clock_change !== undefined) && (
              <span class="line-end hint">{clock_change ?? why}</span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}
