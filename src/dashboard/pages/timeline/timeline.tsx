import type { JSX } from "preact";
import { type ReadonlySignal, useSignal } from "@preact/signals";
import { get, type QueryValues } from "../../api/client.ts";
import { type Resource, SLOWLY, useLoaded } from "../../api/resource.ts";
import { place, setQuery } from "../../state/router.ts";
import { shownZone } from "../../state/settings.ts";
import { nowMs } from "../../browser/clock.ts";
import type { ForecastResponse, LookupTimelineResponse } from "../../gen/api_types.ts";
import { KindsField } from "../../parts/filters.tsx";
import { Button } from "../../parts/button.tsx";
import { InstanceLink, JobLink } from "../../parts/instance_links.tsx";
import { Empty, Loaded } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { dayStart, formatTime, msOf, nextDate, plural, timeParts } from "../../text/format_time.ts";
import { STATES } from "../../text/instance_state.ts";
import { TimelineChart } from "./chart.tsx";
import { type Lane, lanesOf } from "./lanes.ts";
import { SPAN_MS_MAX, SPAN_MS_MIN, type TimeRange, zoomed } from "./time_scale.ts";

const HOUR_MS = 3_600_000;
/** The span shown at first: past runs, and the next 24 hours. */
const PAST_MS = 12 * HOUR_MS;
const FUTURE_MS = 24 * HOUR_MS;
/** Approximate least width of a bar, as a part of the chart. */
const BAR_PART = 1 / 300;

const SPANS: readonly (readonly [text: string, ms: number])[] = [
  ["Minute", 60_000],
  ["Hour", HOUR_MS],
  ["6 hours", 6 * HOUR_MS],
  ["Day", 24 * HOUR_MS],
  ["Week", 7 * 24 * HOUR_MS],
  ["Month", 30 * 24 * HOUR_MS],
];

interface Loads {
  readonly past: LookupTimelineResponse | null;
  readonly future: ForecastResponse | null;
  readonly nowMs: number;
}

function rangeOf(query: URLSearchParams): TimeRange {
  const from = msOf(query.get("from") ?? undefined);
  const to = msOf(query.get("to") ?? undefined);
  if (Number.isFinite(from) && Number.isFinite(to) && to > from) {
    return { from, to: Math.min(to, from + SPAN_MS_MAX) };
  }
  // Whole minutes: otherwise each drawing would be another request.
  const now = Math.floor(nowMs() / 60_000) * 60_000;
  return { from: now - PAST_MS, to: now + FUTURE_MS };
}

function show({ from, to }: TimeRange): void {
  const span = Math.max(SPAN_MS_MIN, to - from);
  setQuery({
    from: new Date(from).toISOString(),
    to: new Date(from + span).toISOString(),
  });
}

function useTimeline({ from, to }: TimeRange, kinds: readonly string[]): Resource<Loads> {
  const iso = (ms: number) => new Date(ms).toISOString();
  return useLoaded<Loads>(`${from} ${to} ${kinds.join()}`, async (signal) => {
    const now = nowMs();
    const read = <T,>(path: string, query: QueryValues, isWanted: boolean) =>
      isWanted ? get<T>(path, { ...query, kinds }, signal) : Promise.resolve(null);
    const forecast = () =>
      read<ForecastResponse>(
        "/forecast",
        { from: iso(Math.max(from, now)), to: iso(to), limit: 1_000 },
        to > now,
      );
    const readFuture = async () => {
      const first = await forecast();
      // A busy daemon omits something: next time it knows the durations of runs.
      return first !== null && first.left_out > 0 ? await forecast() : first;
    };
    const [past, future] = await Promise.all([
      read<LookupTimelineResponse>(
        "/timeline",
        { from: iso(from), to: iso(Math.min(to, now)), limit: 1_000 },
        from < now,
      ),
      readFuture(),
    ]);
    return { past, future, nowMs: now };
  }, SLOWLY);
}

/** The date of a span of one day; otherwise none. */
function dayOf({ from, to }: TimeRange): string {
  const zone = shownZone();
  const { date } = timeParts(from, zone);
  return dayStart(date, zone) === from && dayStart(nextDate(date), zone) === to ? date : "";
}

function Controls({ range }: { readonly range: TimeRange }): JSX.Element {
  const span = range.to - range.from;
  const move = (by: number) => show({ from: range.from + span * by, to: range.to + span * by });
  const around = (ms: number) => {
    const now = nowMs();
    // Mostly the past for long spans: there is more to see.
    show({ from: now - ms / 2, to: now + ms / 2 });
  };
  const button = (label: string, text: string, action: () => void) => (
    <Button aria-label={label} title={label} onClick={action}>{text}</Button>
  );
  return (
    <div class="filters">
      {button("Earlier", "←", () => move(-0.5))}
      {button("Later", "→", () => move(0.5))}
      {button("Zoom in", "+", () => show(zoomed(range, 0.5)))}
      {button("Zoom out", "−", () => show(zoomed(range, 2)))}
      <Button onClick={() => setQuery({ from: undefined, to: undefined })}>Now</Button>
      <div class="chips" role="group" aria-label="Span">
        {SPANS.map(([text, ms]) => (
          <Button
            key={text}
            class="chip"
            aria-pressed={Math.abs(span - ms) < 1_000}
            onClick={() => around(ms)}
          >
            {text}
          </Button>
        ))}
      </div>
      <input
        type="date"
        class="input"
        aria-label="Day"
        title="Day"
        value={dayOf(range)}
        onChange={(event) => {
          const date = event.currentTarget.value;
          if (date === "") return;
          const zone = shownZone();
          show({ from: dayStart(date, zone), to: dayStart(nextDate(date), zone) });
        }}
      />
      <KindsField />
    </div>
  );
}

/** A row of the table with the chart's content. */
interface Row {
  readonly key: string;
  readonly at: string;
  readonly kind: string;
  readonly what: string;
  readonly why: string;
  readonly id: string | undefined;
}

function rowsOf(lanes: readonly Lane[]): readonly Row[] {
  return lanes.flatMap(({ kind, bars, gaps }) => [
    ...bars.map(({ key, from, run, ghost }) => ({
      key,
      at: new Date(from).toISOString(),
      kind,
      what: run === undefined
        ? ghost!.outcome === "runs" ? "will run" : ghost!.outcome
        : STATES[run.state].word.toLowerCase(),
      why: run === undefined ? ghost!.why : run.error ?? run.reason ?? "",
      id: run?.id ?? ghost?.instance_id,
    })),
    ...gaps.map((gap) => ({
      key: `${gap.schedule_id} ${gap.from}`,
      at: gap.from ?? "",
      kind,
      what: gap.count === 1 ? gap.outcome : `${gap.count} ${gap.outcome}`,
      why: gap.why,
      id: undefined,
    })),
  ]).sort((a, b) => a.at < b.at ? -1 : 1);
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "At", cell: ({ at }) => <Time at={at} /> },
  { title: "Job", cell: ({ kind }) => <JobLink kind={kind} /> },
  { title: "What", cell: ({ what }) => what },
  { title: "Why", cell: ({ why }) => why, kind: "text" },
  { title: "Instance", cell: ({ id }) => id === undefined ? "" : <InstanceLink id={id} isRow /> },
];

/** Omissions of the chart, and their reasons. */
function Omissions({ past, future }: Loads): JSX.Element | null {
  const notes = [
    ...past !== null && past.counts.length > 0
      ? [
        `${past.is_estimate ? "About " : ""}${
          plural(past.total, "run")
        }: counted, not listed. Zoom in`,
      ]
      : [],
    ...past?.gaps_from === undefined ? [] : ["Earlier ticks without a run are left out"],
    ...future !== null && future.densities.length > 0
      ? ["Frequent schedules are counted, not listed. Zoom in"]
      : [],
    ...future !== null && future.left_out > 0
      ? [
        `The future runs of ${plural(future.left_out, "schedule")} were not computed, ` +
        "as the daemon was too busy",
      ]
      : [],
  ];
  return notes.length === 0 ? null : <p class="hint">{notes.join(". ")}.</p>;
}

/** The same as text, made when opened: it may have a thousand rows. */
function TableOf({ lanes }: { readonly lanes: readonly Lane[] }): JSX.Element {
  const isOpen = useSignal(false);
  return (
    <details onToggle={(event) => isOpen.value = event.currentTarget.open}>
      <summary>As a table</summary>
      {isOpen.value && (
        <Table
          label="Runs"
          columns={COLUMNS}
          rows={rowsOf(lanes)}
          keyOf={({ key }) => key}
        />
      )}
    </details>
  );
}

/** Description of the hovered item. Separate, so that the chart is not drawn again for it. */
function Told({ text }: { readonly text: ReadonlySignal<string> }): JSX.Element {
  return (
    <p class="timeline-told">
      {text.value === ""
        ? "Point at a run to see what it is. Drag over a span of time to zoom into it."
        : text.value}
    </p>
  );
}

const LEGEND: Readonly<Record<string, string>> = {
  good: "completed",
  bad: "failed",
  run: "running",
  open: "not finished",
  off: "canceled",
  ghost: "will run",
  skip: "will be skipped",
};

function Shown({ loads, range }: {
  readonly loads: Loads;
  readonly range: TimeRange;
}): JSX.Element {
  const told = useSignal("");
  const spaceMs = (range.to - range.from) * BAR_PART;
  const lanes = lanesOf({ ...loads, spaceMs });
  if (lanes.length === 0) {
    return (
      <Empty title="Nothing runs in this span of time">
        Past runs appear as bars, future ones as outlines, and ticks without a run as crosses that
        say why.
      </Empty>
    );
  }
  return (
    <>
      <Omissions {...loads} />
      <TimelineChart
        lanes={lanes}
        range={range}
        onRange={show}
        onTell={(text) => told.value = text}
      />
      <Told text={told} />
      <ul class="legend" aria-label="Colors">
        {Object.entries(LEGEND).map(([look, text]) => (
          <li key={look}>
            <span class={`swatch swatch-${look}`} />
            {text}
          </li>
        ))}
        <li>
          <span class="cross" aria-hidden="true">✕</span>tick without a run
        </li>
      </ul>
      <TableOf lanes={lanes} />
    </>
  );
}

/** Past, future and missed runs over time, with reasons. */
export function TimelinePage(): JSX.Element {
  const { query } = place.value;
  const range = rangeOf(query);
  const kind = query.get("kind") ?? "";
  const kinds = kind === "" ? [] : kind.split(/[\s,]+/);
  const loads = useTimeline(range, kinds);
  const zone = shownZone();
  const text = (ms: number) => formatTime(ms, zone, { nowMs: nowMs(), detail: "minute" });
  return (
    <Page
      title="Timeline"
      about={`${text(range.from)} to ${text(range.to)}, ${zone}`}
      command={kind === "" ? ["list", "timers"] : ["explain", kinds[0]!]}
    >
      <Controls range={range} />
      <Loaded from={loads}>{(data) => <Shown loads={data} range={range} />}</Loaded>
    </Page>
  );
}
