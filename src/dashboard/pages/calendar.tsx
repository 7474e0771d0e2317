import type { JSX } from "preact";
import { SLOWLY, useResource } from "../api/resource.ts";
import { href, place, setQuery } from "../state/router.ts";
import { shownZone } from "../state/settings.ts";
import { nowMs } from "../browser/clock.ts";
import type { CalendarCell, CalendarResponse } from "../gen/api_types.ts";
import { KindsField } from "../parts/filters.tsx";
import { Loaded } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { MONTHS } from "../text/cron_words.ts";
import { failureStep } from "../text/failure_share.ts";
import { formatCount, plural, timeParts } from "../text/format_time.ts";
import { FAILED } from "../text/instance_state.ts";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MS = 86_400_000;

/** A month as "2026-11". */
function monthOf(query: URLSearchParams, zone: string): string {
  const asked = query.get("month") ?? "";
  return /^\d{4}-(0[1-9]|1[0-2])$/.test(asked) ? asked : timeParts(nowMs(), zone).date.slice(0, 7);
}

function monthAfter(month: string, count: number): string {
  const [year, number] = month.split("-").map(Number) as [number, number];
  return new Date(Date.UTC(year, number - 1 + count, 1)).toISOString().slice(0, 7);
}

/** The Monday of a month's first week, and the end of its last week, as dates. */
function weeksOf(month: string): { readonly first: Date; readonly days: number } {
  const begin = new Date(`${month}-01T00:00:00Z`);
  const end = new Date(`${monthAfter(month, 1)}-01T00:00:00Z`);
  const lead = (begin.getUTCDay() + 6) % 7;
  const days = Math.ceil((lead + (end.getTime() - begin.getTime()) / DAY_MS) / 7) * 7;
  return { first: new Date(begin.getTime() - lead * DAY_MS), days };
}

function failuresOf({ terminated, timed_out }: CalendarCell): number {
  return terminated + timed_out;
}

function Line({ count, word, to, look, isEstimate }: {
  readonly count: number;
  readonly word: string;
  readonly to?: string;
  readonly look?: string;
  readonly isEstimate?: boolean;
}): JSX.Element | null {
  if (count === 0) return null;
  const text = `${isEstimate === true ? "≈ " : ""}${formatCount(count)} ${word}`;
  return (
    <span class={`day-line ${look ?? ""}`}>
      {to === undefined ? text : <a href={to}>{text}</a>}
    </span>
  );
}

function Day({ cell, date, isOther, isToday, kind }: {
  readonly cell: CalendarCell | undefined;
  readonly date: string;
  /** True if it belongs to another month. */
  readonly isOther: boolean;
  readonly isToday: boolean;
  readonly kind: string;
}): JSX.Element {
  const number = Number(date.slice(8));
  if (cell === undefined) return <td class="day day-other">{number}</td>;
  const { from, to, is_estimate: isEstimate } = cell;
  const list = (state: string | readonly string[]) =>
    href("/instances", { state, after: from, before: to, kind });
  const look = [
    "day",
    `heat-${failureStep(failuresOf(cell), cell.completed)}`,
    isOther ? "day-other" : "",
    isToday ? "day-today" : "",
  ];
  const change = cell.clock_change_seconds;
  return (
    <td
      class={look.filter((one) => one !== "").join(" ")}
      aria-current={isToday ? "date" : undefined}
    >
      <a
        class="day-number"
        data-row
        href={href("/timeline", { from, to, kind })}
        aria-label={`${number}, timeline of ${date}`}
      >
        {number}
      </a>
      {change !== 0 && (
        <span class="day-line late-text">
          {`clocks ${change > 0 ? "+" : "−"}${Math.abs(change) / 60} min`}
        </span>
      )}
      <Line
        count={failuresOf(cell)}
        word="failed"
        look="bad-text"
        to={list(FAILED)}
        isEstimate={isEstimate}
      />
      <Line
        count={cell.completed}
        word="completed"
        to={list("completed")}
        isEstimate={isEstimate}
      />
      <Line count={cell.unfinished} word="unfinished" to={list(["scheduled", "processing"])} />
      <Line count={cell.missed} word="missed" look="bad-text" />
      <Line count={cell.skipped} word="skipped" look="late-text" />
      <Line count={cell.ticks - cell.ticks_skipped} word="planned" look="faint" />
      <Line count={cell.ticks_skipped} word="to be skipped" look="late-text" />
      <Line count={cell.waiting} word="waiting" look="faint" />
    </td>
  );
}

function Month({ month, cells, zone, kind }: {
  readonly month: string;
  readonly cells: readonly CalendarCell[];
  readonly zone: string;
  readonly kind: string;
}): JSX.Element {
  const byName = new Map(cells.map((cell) => [cell.name, cell]));
  const today = timeParts(nowMs(), zone).date;
  const { first, days } = weeksOf(month);
  const dates = Array.from(
    { length: days },
    (_, index) => new Date(first.getTime() + index * DAY_MS).toISOString().slice(0, 10),
  );
  const weeks = Array.from(
    { length: days / 7 },
    (_, index) => dates.slice(index * 7, index * 7 + 7),
  );
  return (
    <div class="table-frame" tabIndex={0} role="region" aria-label="Month">
      <table class="month">
        <thead>
          <tr>{WEEKDAYS.map((day) => <th key={day} scope="col">{day}</th>)}</tr>
        </thead>
        <tbody>
          {weeks.map((week) => (
            <tr key={week[0]}>
              {week.map((date) => (
                <Day
                  key={date}
                  cell={byName.get(date)}
                  date={date}
                  isOther={!date.startsWith(month)}
                  isToday={date === today}
                  kind={kind}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Past and future runs by day. */
export function CalendarPage(): JSX.Element {
  const { query } = place.value;
  const zone = shownZone();
  const month = monthOf(query, zone);
  const kind = query.get("kind") ?? "";
  const { first, days } = weeksOf(month);
  // A day more at both ends: the days of the zone are not UTC's.
  const calendar = useResource<CalendarResponse>("/calendar", {
    from: new Date(first.getTime() - DAY_MS / 2).toISOString(),
    to: new Date(first.getTime() + (days - 0.5) * DAY_MS).toISOString(),
    timezone: zone,
    kinds: kind === "" ? [] : kind.split(/[\s,]+/),
  }, SLOWLY);
  const [year, number] = month.split("-").map(Number) as [number, number];
  return (
    <Page
      title={`${MONTHS[number - 1]} ${year}`}
      about={zone}
      command={["list", "timers"]}
      actions={
        <>
          <input
            type="month"
            class="input"
            aria-label="Month"
            title="Month"
            value={month}
            onChange={(event) => setQuery({ month: event.currentTarget.value })}
          />
          <a class="button" href={href("/calendar", { month: monthAfter(month, -1), kind })}>
            ← Earlier
          </a>
          <a class="button" href={href("/calendar", { kind })}>Today</a>
          <a class="button" href={href("/calendar", { month: monthAfter(month, 1), kind })}>
            Later →
          </a>
        </>
      }
    >
      <div class="filters">
        <KindsField />
        <ul class="legend" aria-label="Failures">
          {["none failed", "a few", "over 1 %", "over 10 %", "over half"].map((text, index) => (
            <li key={text}>
              <span class={`swatch heat-${index}`} />
              {text}
            </li>
          ))}
        </ul>
      </div>
      <Loaded from={calendar}>
        {(data) => (
          <>
            <Month month={month} cells={data.cells} zone={zone} kind={kind} />
            {data.left_out > 0 && (
              <p class="hint">{plural(data.left_out, "schedule")} left out of the plan.</p>
            )}
            {data.cells.some(({ is_partial }) => is_partial) && (
              <p class="hint">
                Successful runs of the first days may have been deleted already, at the end of their
                retention.
              </p>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}
