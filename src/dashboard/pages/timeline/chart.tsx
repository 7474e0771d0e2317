import type { JSX, RefObject } from "preact";
import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { href } from "../../state/router.ts";
import { shownZone } from "../../state/settings.ts";
import { segment } from "../../api/client.ts";
import { nowMs, second } from "../../browser/clock.ts";
import { overview } from "../../live/overview.ts";
import { JobLink } from "../../parts/instance_links.tsx";
import { formatCount, formatDuration, formatTime, msOf } from "../../text/format_time.ts";
import { shortId, STATES } from "../../text/instance_state.ts";
import { failureStep } from "../../text/failure_share.ts";
import { type Bar, type Heat, type Lane, totalOf } from "./lanes.ts";
import { axisMarks, clockChanges, type TimeRange } from "./time_scale.ts";

const ROW_PX = 14;
const LANE_GAP_PX = 8;
const AXIS_PX = 26;
/** Smallest bar that is visible and easy to hit. */
const BAR_PX_MIN = 4;
/** Height of the line about clock changes. */
const CHANGE_PX = 18;
/** Width of the word before a change of clocks. */
const CLOCKS_PX = 40;
/** Width of a character of the axis, at most. */
const CHARACTER_PX = 7;
/** Width of a mark of the axis with its text. */
const MARK_PX = 90;
/** Lanes are drawn a step before they come into sight, and taken away a step after. */
const STEP_PX = 200;
/** Least height of a cell, and of its failed part. */
const HEAT_PX_MIN = 3;
const BAD_PX_MIN = 2;
/** Shortest movement that selects a span. */
const DRAG_PX_MIN = 8;

interface Placed {
  readonly lane: Lane;
  readonly top: number;
  readonly height: number;
}

/** Width that a text of the axis takes, at most. */
function textPx(text: string): number {
  return text.length * CHARACTER_PX;
}

function placeLanes(
  lanes: readonly Lane[],
  begin: number,
): { placed: readonly Placed[]; height: number } {
  let top = begin;
  const placed = lanes.map((lane) => {
    const height = Math.max(22, lane.rows * ROW_PX + LANE_GAP_PX);
    const one = { lane, top, height };
    top += height;
    return one;
  });
  return { placed, height: top + 4 };
}

function barText({ run, ghost, from, to }: Bar): string {
  const time = (at: number) => formatTime(at, shownZone(), { nowMs: second.peek() });
  if (run !== undefined) {
    const { word } = STATES[run.state];
    const took = run.ended_at === undefined ? "so far " : "";
    const why = run.error ?? run.reason;
    return `${run.kind} ${shortId(run.id)}: ${word.toLowerCase()}, began ${time(from)}, ${took}${
      formatDuration(to - from)
    }${why === undefined ? "" : `. ${why}`}`;
  }
  const { kind, why, duration_ms, clock_change } = ghost!;
  const takes = duration_ms === undefined ? "" : ` Usually takes ${formatDuration(duration_ms)}.`;
  return `${kind} at ${time(msOf(ghost!.at))}: ${why}.${takes}${
    clock_change === undefined ? "" : ` ${clock_change}`
  }`;
}

function lookOf({ run, ghost }: Bar): string {
  if (run !== undefined) return `run-bar bar-${STATES[run.state].tone}`;
  return ghost!.outcome === "runs" ? "run-bar bar-ghost" : "run-bar bar-skip";
}

function heatText({ good, bad, off, open, isFuture, from, to }: Heat): string {
  const time = (at: number) => formatTime(at, shownZone(), { nowMs: second.peek() });
  const counts: readonly (readonly [number, string])[] = isFuture
    ? [[good, good === 1 ? "tick" : "ticks"], [bad, "will be skipped"]]
    : [[good, "completed"], [bad, "failed"], [off, "canceled"], [open, "not finished"]];
  const words = counts.filter(([count]) => count > 0)
    .map(([count, word]) => `${formatCount(count)} ${word}`);
  return `${time(from)} to ${time(to)}: ${words.join(", ")}`;
}

interface DrawProps {
  readonly x: (at: number) => number;
  readonly onTell: (text: string) => void;
}

/**
 * Describes the hovered item in a tip. The text is made only then: writing the times of a thousand
 * bars takes as long as drawing them.
 */
function teller(onTell: (text: string) => void) {
  return ({ currentTarget }: { readonly currentTarget: Element }, text: string) => {
    if (currentTarget.firstChild === null) {
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = text;
      currentTarget.append(title);
    } else currentTarget.firstChild.textContent = text;
    onTell(text);
  };
}

function Bars({ lane, top, x, onTell }: DrawProps & {
  readonly lane: Lane;
  readonly top: number;
}): JSX.Element {
  const tell = teller(onTell);
  return (
    <>
      {lane.bars.filter(({ isBanded }) => isBanded !== true).map((bar) => {
        const left = x(bar.from);
        const shape = (
          <rect
            class={lookOf(bar)}
            x={left}
            y={top + LANE_GAP_PX / 2 + bar.row * ROW_PX}
            width={Math.max(BAR_PX_MIN, x(bar.to) - left)}
            height={ROW_PX - 3}
            rx={2}
            onPointerEnter={(event) => tell(event, barText(bar))}
          />
        );
        const id = bar.run?.id ?? bar.ghost?.instance_id;
        if (id === undefined) return <g key={bar.key}>{shape}</g>;
        return (
          <a
            key={bar.key}
            href={href(`/instances/${segment(id)}`)}
            tabIndex={-1}
            aria-label={`${lane.kind} ${shortId(id)}`}
          >
            {shape}
          </a>
        );
      })}
    </>
  );
}

function Gaps({ lane, top, x, onTell }: DrawProps & {
  readonly lane: Lane;
  readonly top: number;
}): JSX.Element {
  return (
    <>
      {lane.gaps.map((gap) => {
        const [from, to] = [x(msOf(gap.from)), x(msOf(gap.to))];
        const text = `${gap.kind}: ${
          gap.count === 1 ? "a tick" : `${formatCount(gap.count)} ticks`
        } ${gap.outcome}. ${gap.why}`;
        const middle = top + LANE_GAP_PX / 2 + (ROW_PX - 3) / 2;
        return (
          <g
            key={`${gap.schedule_id} ${gap.from}`}
            class={`gap gap-${gap.outcome}`}
            onPointerEnter={() => onTell(text)}
          >
            <title>{text}</title>
            {to - from > 6 && <line x1={from} x2={to} y1={middle} y2={middle} />}
            <path d={`M${from - 4} ${middle - 4}l8 8m0-8l-8 8`} />
            <rect x={from - 6} y={top} width={Math.max(12, to - from)} height={20} class="hit" />
          </g>
        );
      })}
    </>
  );
}

/** The parts of a cell from its base line up, with heights and looks. */
function partsOf(heat: Heat, high: number): readonly (readonly [look: string, px: number])[] {
  const { good, bad, off, open, isFuture } = heat;
  const total = totalOf(heat);
  // A single failure among many has to be seen.
  const badPx = bad === 0 ? 0 : Math.max(BAD_PX_MIN, high * bad / total);
  const rest = total === bad ? 0 : (high - badPx) / (total - bad);
  const parts: readonly (readonly [string, number])[] = isFuture
    ? [["heat-skip", badPx], ["heat-future", good * rest]]
    : [
      [`heat-bad heat-${failureStep(bad, total - bad)}`, badPx],
      ["heat-good", good * rest],
      ["heat-off", off * rest],
      ["heat-open", open * rest],
    ];
  return parts.filter(([, px]) => px > 0);
}

/** Cells with a height for the number of runs, and a red part for the share that failed. */
function Heats({ lane, top, height, x, onTell }: DrawProps & Placed): JSX.Element {
  const tell = teller(onTell);
  const mostOf = (isFuture: boolean) =>
    Math.max(1, ...lane.heats.filter((one) => one.isFuture === isFuture).map(totalOf));
  const [past, future] = [mostOf(false), mostOf(true)];
  const highest = height - 6;
  return (
    <>
      {lane.heats.map((heat) => {
        const most = heat.isFuture ? future : past;
        const high = Math.max(HEAT_PX_MIN, highest * totalOf(heat) / most);
        const left = x(heat.from);
        const width = Math.max(1, x(heat.to) - left - 0.5);
        let bottom = top + height - 3;
        return (
          <g
            key={`${heat.from} ${heat.isFuture}`}
            class="heat"
            onPointerEnter={(event) => tell(event, heatText(heat))}
          >
            <rect class="hit" x={left} y={top} width={width} height={height} />
            {partsOf(heat, high).map(([look, px]) => (
              <rect key={look} class={look} x={left} y={bottom -= px} width={width} height={px} />
            ))}
          </g>
        );
      })}
    </>
  );
}

/** The uncomputed future of a lane. */
function Unknown({ top, height, range, x, onTell }: DrawProps & Placed & {
  readonly range: TimeRange;
}): JSX.Element {
  const left = x(Math.max(range.from, nowMs()));
  const text = "Future runs of this job were not computed: the daemon was too busy";
  return (
    <rect
      fill="url(#hatch)"
      x={left}
      y={top + 3}
      width={Math.max(0, x(range.to) - left)}
      height={height - 6}
      onPointerEnter={() => onTell(text)}
    >
      <title>{text}</title>
    </rect>
  );
}

function Pauses({ placed, range, x }: {
  readonly placed: readonly Placed[];
  readonly range: TimeRange;
  readonly x: (at: number) => number;
}): JSX.Element {
  return (
    <>
      {placed.flatMap(({ lane, top, height }) =>
        (overview.pauses.value ?? []).filter(({ kind }) => kind === undefined || kind === lane.kind)
          .map(({ kind, at, until, reason }) => {
            const left = x(Math.max(range.from, msOf(at)));
            const right = x(until === undefined ? range.to : Math.min(range.to, msOf(until)));
            if (right <= left) return null;
            return (
              <rect
                key={`${lane.kind} ${kind}`}
                class="paused"
                x={left}
                y={top}
                width={right - left}
                height={height}
              >
                <title>{`Paused${reason === "" ? "" : `: ${reason}`}`}</title>
              </rect>
            );
          })
      )}
    </>
  );
}

function Axis({ range, width, height, x }: {
  readonly range: TimeRange;
  readonly width: number;
  readonly height: number;
  readonly x: (at: number) => number;
}): JSX.Element {
  const zone = shownZone();
  return (
    <>
      {axisMarks(range, zone, Math.max(2, Math.floor(width / MARK_PX))).map((
        { at, text, isDay },
      ) => (
        <g key={at} class={isDay ? "mark-day" : "mark-time"}>
          <line x1={x(at)} x2={x(at)} y1={AXIS_PX - 6} y2={height} />
          {x(at) + textPx(text) < width && <text x={x(at) + 4} y={14}>{text}</text>}
        </g>
      ))}
      {clockChanges(range, zone).map(({ at, text }) => (
        <g key={at} class="mark-change">
          <line x1={x(at)} x2={x(at)} y1={0} y2={height} />
          <text
            x={Math.min(x(at) + 4, width - textPx(text) - CLOCKS_PX)}
            y={AXIS_PX + CHANGE_PX - 6}
          >
            {`clocks ${text}`}
          </text>
        </g>
      ))}
    </>
  );
}

// Each of these follows its own signal: the whole chart may have a thousand bars, too many to draw
// again each second and with each movement of the pointer.

function NowLine({ x, width, height }: {
  readonly x: (at: number) => number;
  readonly width: number;
  readonly height: number;
}): JSX.Element | null {
  const now = x(second.value);
  if (now < 0 || now > width) return null;
  return <line class="now-line" x1={now} x2={now} y1={AXIS_PX - 6} y2={height} />;
}

/** A part of the chart, in pixels from its left or its top; a drag to the left has `to` first. */
interface PixelSpan {
  readonly from: number;
  readonly to: number;
}

/**
 * The visible part of the chart, in whole steps. Drawing a week of two hundred jobs takes a quarter
 * of a second, and a screen has room for thirty.
 */
function usePartInSight(frame: RefObject<HTMLElement | null>): ReadonlySignal<PixelSpan> {
  const part = useSignal<PixelSpan>({ from: 0, to: innerHeight });
  useEffect(() => {
    const look = () => {
      // The page may have been left before its effects run.
      if (frame.current === null) return;
      const { top } = frame.current.getBoundingClientRect();
      const from = (Math.floor(-top / STEP_PX) - 1) * STEP_PX;
      const to = (Math.ceil((innerHeight - top) / STEP_PX) + 1) * STEP_PX;
      if (part.peek().from !== from || part.peek().to !== to) part.value = { from, to };
    };
    look();
    // Captured, as scrolling does not bubble.
    addEventListener("scroll", look, { capture: true, passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look, { capture: true });
      removeEventListener("resize", look);
    };
  }, []);
  return part;
}

function DragBox({ drag, height }: {
  readonly drag: ReadonlySignal<PixelSpan | null>;
  readonly height: number;
}): JSX.Element | null {
  if (drag.value === null) return null;
  const { from, to } = drag.value;
  return (
    <rect class="drag" x={Math.min(from, to)} y={0} width={Math.abs(to - from)} height={height} />
  );
}

/** The runs of a span of time: past ones as bars, future ones as ghosts, a lane for each job. */
export function TimelineChart({ lanes, range, onRange, onTell }: {
  readonly lanes: readonly Lane[];
  readonly range: TimeRange;
  /** A span was selected. */
  readonly onRange: (range: TimeRange) => void;
  /** Something was pointed at. */
  readonly onTell: (text: string) => void;
}): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSignal(800);
  const drag = useSignal<PixelSpan | null>(null);
  const sight = usePartInSight(frame);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => width.value = entry!.contentRect.width);
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, []);
  const begin = AXIS_PX + (clockChanges(range, shownZone()).length > 0 ? CHANGE_PX : 0);
  const { placed, height } = placeLanes(lanes, begin);
  const { from: sightFrom, to: sightTo } = sight.value;
  const seen = placed.filter((one) => one.top + one.height > sightFrom && one.top < sightTo);
  const scale = width.value / (range.to - range.from);
  const x = (at: number) => Math.max(-50, Math.min(width.value + 50, (at - range.from) * scale));
  const end = () => {
    const dragged = drag.peek();
    drag.value = null;
    if (dragged === null || Math.abs(dragged.to - dragged.from) < DRAG_PX_MIN) return;
    const [left, right] = [dragged.from, dragged.to].sort((a, b) => a - b) as [number, number];
    onRange({ from: range.from + left / scale, to: range.from + right / scale });
  };
  return (
    <div class="timeline">
      <ul class="timeline-kinds" aria-label="Jobs" style={{ paddingTop: `${begin}px` }}>
        {placed.map(({ lane, height: high }) => (
          <li key={lane.kind} style={{ height: `${high}px` }}>
            {lane.kind === ""
              ? <span class="hint">others</span>
              : <JobLink kind={lane.kind} isRow />}
          </li>
        ))}
      </ul>
      <div class="timeline-frame" ref={frame}>
        <svg
          width={width.value}
          height={height}
          role="group"
          aria-label="Runs over time; the same is in the table below"
          onPointerDown={(event) => {
            if (event.button !== 0 || event.pointerType === "touch") return;
            drag.value = { from: event.offsetX, to: event.offsetX };
          }}
          onPointerMove={(event) => {
            const dragged = drag.peek();
            if (dragged !== null) drag.value = { ...dragged, to: event.offsetX };
          }}
          onPointerUp={end}
          onPointerLeave={() => drag.value = null}
        >
          <pattern id="hatch" width={6} height={6} patternUnits="userSpaceOnUse">
            <path class="hatch" d="M0 6L6 0" />
          </pattern>
          <Axis range={range} width={width.value} height={height} x={x} />
          <Pauses placed={seen} range={range} x={x} />
          {seen.map((one) => (
            <g key={one.lane.kind}>
              <line
                class="lane-line"
                x1={0}
                x2={width.value}
                y1={one.top + one.height}
                y2={one.top + one.height}
              />
              {one.lane.isPart && <Unknown {...one} range={range} x={x} onTell={onTell} />}
              <Heats {...one} x={x} onTell={onTell} />
              <Bars lane={one.lane} top={one.top} x={x} onTell={onTell} />
              <Gaps lane={one.lane} top={one.top} x={x} onTell={onTell} />
            </g>
          ))}
          <NowLine x={x} width={width.value} height={height} />
          <DragBox drag={drag} height={height} />
        </svg>
      </div>
    </div>
  );
}
