import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { segment } from "../../api/client.ts";
import { SLOWLY, useResource } from "../../api/resource.ts";
import { href } from "../../state/router.ts";
import { shownZone } from "../../state/settings.ts";
import { nowMs } from "../../browser/clock.ts";
import type { GetJobStatsResponse, JobStatsBucket } from "../../gen/api_types.ts";
import { Button } from "../../parts/button.tsx";
import { Facts } from "../../parts/facts.tsx";
import { InstanceLink } from "../../parts/instance_links.tsx";
import { Loaded } from "../../parts/notes.tsx";
import { Section } from "../../parts/page.tsx";
import { Distance } from "../../parts/time.tsx";
import { formatCount, formatDuration, formatTime, msOf } from "../../text/format_time.ts";
import { durationTrend } from "../../text/duration_trend.ts";
import { FAILED } from "../../text/instance_state.ts";

const HOUR_MS = 3_600_000;
const SPANS: readonly (readonly [name: string, text: string, ms: number, within: string])[] = [
  ["1d", "Day", 24 * HOUR_MS, "in 24 hours"],
  ["7d", "Week", 7 * 24 * HOUR_MS, "in 7 days"],
  ["30d", "Month", 30 * 24 * HOUR_MS, "in 30 days"],
];
const BUCKETS = 60;
const WIDTH = 600;
const COUNT_HEIGHT = 64;
const TIME_HEIGHT = 40;
const GAP = 12;

function bad({ failed, timed_out }: JobStatsBucket): number {
  return failed + timed_out;
}

function bucketAt(bucket: JobStatsBucket | undefined): string {
  return formatTime(msOf(bucket?.from), shownZone(), { nowMs: nowMs(), detail: "minute" });
}

function bucketText(bucket: JobStatsBucket): string {
  const { completed, durations } = bucket;
  const took = durations === undefined
    ? ""
    : `, usually took ${formatDuration(durations.p50_ms)}, at most ${
      formatDuration(durations.max_ms)
    }`;
  return `${bucketAt(bucket)}: ${formatCount(completed)} completed, ${
    formatCount(bad(bucket))
  } failed${took}`;
}

/** Durations as two lines: the medians, and the 90th percentiles. */
function durationLine(
  buckets: readonly JobStatsBucket[],
  of: "p50_ms" | "p90_ms",
  most: number,
): string {
  const step = WIDTH / buckets.length;
  let path = "";
  let isOpen = false;
  buckets.forEach(({ durations }, index) => {
    if (durations === undefined) return void (isOpen = false);
    const x = ((index + 0.5) * step).toFixed(1);
    const y = (COUNT_HEIGHT + GAP + TIME_HEIGHT * (1 - durations[of] / most)).toFixed(1);
    // A single point has to be seen, too.
    path += isOpen ? `L${x} ${y}` : `M${x} ${y}h.1`;
    isOpen = true;
  });
  return path;
}

function Chart({ buckets }: { readonly buckets: readonly JobStatsBucket[] }): JSX.Element {
  const step = WIDTH / buckets.length;
  const most = Math.max(1, ...buckets.map((one) => one.completed + bad(one)));
  const longest = Math.max(1, ...buckets.map(({ durations }) => durations?.p90_ms ?? 0));
  const high = (count: number) => count === 0 ? 0 : Math.max(1.5, count / most * COUNT_HEIGHT);
  return (
    <svg
      class="stats-chart"
      viewBox={`0 0 ${WIDTH} ${COUNT_HEIGHT + GAP + TIME_HEIGHT + 2}`}
      preserveAspectRatio="none"
      role="img"
      aria-label="Runs and their durations over time"
    >
      {buckets.map((bucket, index) => {
        const good = high(bucket.completed);
        const failed = high(bad(bucket));
        const place = { x: index * step + 0.5, width: Math.max(1, step - 1) };
        return (
          <g key={bucket.from}>
            <rect class="bar-good" {...place} y={COUNT_HEIGHT - good} height={good} />
            <rect class="bar-bad" {...place} y={COUNT_HEIGHT - good - failed} height={failed} />
            <rect class="hit" x={index * step} width={step} y={0} height="100%">
              <title>{bucketText(bucket)}</title>
            </rect>
          </g>
        );
      })}
      <line x1={0} x2={WIDTH} y1={COUNT_HEIGHT} y2={COUNT_HEIGHT} />
      <path class="stats-p90" d={durationLine(buckets, "p90_ms", longest)} />
      <path class="stats-p50" d={durationLine(buckets, "p50_ms", longest)} />
    </svg>
  );
}

function rateText(rate: number | undefined): string | undefined {
  return rate === undefined ? undefined : `${Math.floor(rate * 1_000) / 10} %`;
}

function Shown({ kind, stats, within }: {
  readonly kind: string;
  /** The span, such as "in 7 days". */
  readonly within: string;
  readonly stats: GetJobStatsResponse;
}): JSX.Element {
  const { totals, buckets, failures } = stats;
  const durations = totals?.durations;
  const failed = totals === undefined ? 0 : bad(totals);
  return (
    <>
      <Chart buckets={buckets} />
      <p class="stats-scale hint">
        <span>{bucketAt(buckets[0])}</span>
        <span>
          bars: runs; lines: duration, half of the runs and <span class="dashed">9 of 10</span>
        </span>
        <span>now</span>
      </p>
      <Facts
        facts={[
          [`Succeeded ${within}`, rateText(stats.success_rate)],
          ["Completed", totals && formatCount(totals.completed)],
          [
            "Failed",
            failed === 0
              ? "0"
              : (
                <a href={href("/instances", { kind, state: FAILED, after: buckets[0]?.from })}>
                  {formatCount(failed)}
                </a>
              ),
          ],
          [
            "Usually takes",
            durations && durations.runs > 0 &&
            `${formatDuration(durations.p50_ms)}; 9 of 10 runs at most ${
              formatDuration(durations.p90_ms)
            }, the longest ${formatDuration(durations.max_ms)}`,
          ],
          ["Trend", durationTrend(buckets)],
          ["Last success", stats.last_success_at && <Distance at={stats.last_success_at} />],
          ["Last failure", stats.last_failure_at && <Distance at={stats.last_failure_at} />],
        ]}
      />
      {failures.length > 0 && (
        <ul class="lines" aria-label="Most frequent errors">
          {failures.map(({ error, count, last_instance_id }) => (
            <li key={error}>
              <span class="num">{`${formatCount(count)} ×`}</span>
              <span class="bad-text">{error}</span>
              <span class="line-end">
                <InstanceLink id={last_instance_id} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** Statistics of a job: successes, failures and durations over time, and its usual errors. */
export function JobStats({ kind }: { readonly kind: string }): JSX.Element {
  const span = useSignal("7d");
  const [, , ms, within] = SPANS.find(([name]) => name === span.value)!;
  // Whole minutes: the request stays the same for a while.
  const now = Math.floor(nowMs() / 60_000) * 60_000;
  const stats = useResource<GetJobStatsResponse>(`/jobs/${segment(kind)}/stats`, {
    from: new Date(now - ms).toISOString(),
    buckets: BUCKETS,
  }, SLOWLY);
  return (
    <Section
      title="Success and duration"
      actions={
        <span class="chips" role="group" aria-label="Span">
          {SPANS.map(([name, text]) => (
            <Button
              key={name}
              class="chip"
              aria-pressed={span.value === name}
              onClick={() => span.value = name}
            >
              {text}
            </Button>
          ))}
        </span>
      }
    >
      <div class="stats">
        <Loaded from={stats}>{(data) => <Shown kind={kind} stats={data} within={within} />}</Loaded>
      </div>
    </Section>
  );
}
