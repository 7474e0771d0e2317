import type { JSX } from "preact";
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { place } from "../state/router.ts";
import { logWrap, shownZone } from "../state/settings.ts";
import { after } from "../browser/clock.ts";
import { saveText } from "../browser/clipboard.ts";
import { formatCount, msOf, plural, timeParts } from "../text/format_time.ts";
import { type LogLine, LogSearch } from "./log_lines.ts";
import type { LogStream } from "./log_stream.ts";
import { Button } from "../parts/button.tsx";
import { parseAnsi } from "../text/ansi.ts";

/** A text in which what was searched is marked. */
function Marked({ text, search }: {
  readonly text: string;
  readonly search: string;
}): JSX.Element {
  const wanted = search.toLowerCase();
  const lower = text.toLowerCase();
  // Letters whose lower case has another length would shift the marks.
  if (wanted === "" || lower.length !== text.length) return <>{text}</>;
  const parts: (string | JSX.Element)[] = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  parts.push(text.slice(from));
  return <>{parts}</>;
}

/** One line of a log on the screen. */
function LogRow({ line, search, isCurrent, isTarget }: {
  readonly line: LogLine;
  readonly search: string;
  /** It is the found line that is shown. */
  readonly isCurrent: boolean;
  /** The page's URL names it. */
  readonly isTarget: boolean;
}): JSX.Element {
  const { number, isHeading, at, level, text } = line;
  if (isHeading) return <div class="log-row log-heading">{text}</div>;
  const ms = msOf(at);
  const time = Number.isFinite(ms) ? timeParts(ms, shownZone()) : null;
  const look = `log-row log-${level}${isCurrent ? " log-current" : ""}${
    isTarget ? " log-target" : ""
  }`;
  return (
    <div class={look}>
      <a class="log-number" href={`#L${number}`} aria-label={`Line ${number}`}>{number}</a>
      <span class="log-time" title={at}>{time === null ? "" : time.time}</span>
      <span class="log-text">
        {parseAnsi(text).map((span) =>
          span.look === "" ? <Marked text={span.text} search={search} /> : (
            <span class={span.look}>
              <Marked text={span.text} search={search} />
            </span>
          )
        )}
      </span>
    </div>
  );
}

/** Height of a row, as in the stylesheet. */
const ROW_PX = 19;
/** Space for a scroll bar below the rows. */
const SCROLLBAR_PX = 16;
/** Rows drawn beyond the visible ones. */
const MARGIN_ROWS = 30;
/** Columns of number and time before the text, as in the stylesheet. */
const GUTTER_COLUMNS = 18;
/** Lines that are searched at a time. */
const SEARCHED_LINES = 20_000;
/** Largest distance of the reader from the end at which the view follows, in rows. */
const NEAR_ROWS = 2;

interface View {
  readonly stream: LogStream;
  readonly isRunning: boolean;
  readonly search: Signal<string>;
  readonly level: Signal<string>;
  /** Index of the shown match; −1 for none. */
  readonly found: Signal<number>;
  /** True if the view stays at the end. */
  readonly isFollowing: Signal<boolean>;
  /** Rows and columns that fit into the frame. */
  readonly size: Signal<{ readonly rows: number; readonly columns: number }>;
}

/** The columns that a row has, from the width of the frame and of a character. */
function columnsIn(frame: HTMLElement, ruler: HTMLElement): number {
  const charPx = ruler.getBoundingClientRect().width / 100;
  const columns = Math.floor((frame.clientWidth - 4) / Math.max(1, charPx)) - GUTTER_COLUMNS;
  return Math.max(20, columns);
}

/** Number of the line in the URL, such as "#L120"; 0 for none. */
export function targetLine(hash: string): number {
  return Number(/^L(\d{1,9})$/.exec(hash)?.[1] ?? 0);
}

function Toolbar({ view, matches }: {
  readonly view: View;
  readonly matches: Matches;
}): JSX.Element {
  const { stream, search, level, found, isFollowing } = view;
  const { length } = matches.indexes;
  const step = (by: number) => {
    if (length === 0) return;
    isFollowing.value = false;
    found.value = (found.value + by + length) % length;
  };
  const result = search.value === ""
    ? ""
    : `${length === 0 ? 0 : found.value + 1} of ${formatCount(length)}${
      matches.isDone ? "" : " so far"
    }`;
  return (
    <div class="log-bar">
      <input
        type="search"
        class="input"
        aria-label="Search the log"
        placeholder="Search the log"
        data-filter
        value={search.value}
        onInput={(event) => {
          search.value = event.currentTarget.value;
          found.value = 0;
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          step(event.shiftKey ? -1 : 1);
        }}
      />
      <span class="num hint" role="status">{result}</span>
      {search.value !== "" && !matches.isDone && (
        <progress class="log-reading" aria-label="Reading the log" />
      )}
      <select
        class="select"
        aria-label="Level"
        value={level.value}
        onChange={(event) => level.value = event.currentTarget.value}
      >
        <option value="debug">All levels</option>
        <option value="info">Info and above</option>
        <option value="warn">Warnings and errors</option>
        <option value="error">Errors</option>
      </select>
      <label class="check">
        <input
          type="checkbox"
          checked={logWrap.value === "on"}
          onChange={(event) => logWrap.value = event.currentTarget.checked ? "on" : "off"}
        />
        Wrap
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={isFollowing.value}
          onChange={(event) => isFollowing.value = event.currentTarget.checked}
        />
        Follow
      </label>
      <Button
        disabled={stream.lines.count === 0 || stream.isPart}
        onClick={() => saveText("log.txt", stream.lines.toText())}
      >
        Download
      </Button>
    </div>
  );
}

/** The visible lines, in a frame as high as all of them. */
function Lines({ view, matches }: {
  readonly view: View;
  readonly matches: readonly number[];
}): JSX.Element {
  const { stream, search, found, isFollowing, size } = view;
  const { lines } = stream;
  const frame = useRef<HTMLDivElement>(null);
  const ruler = useRef<HTMLSpanElement>(null);
  const top = useSignal(0);
  const version = stream.version.value;
  const target = targetLine(place.value.hash);
  const { rows } = lines;

  useEffect(() => {
    const measure = () => {
      if (frame.current === null) return;
      const rowsShown = Math.ceil(frame.current.clientHeight / ROW_PX);
      size.value = { rows: rowsShown, columns: columnsIn(frame.current, ruler.current!) };
    };
    const observer = new ResizeObserver(measure);
    observer.observe(frame.current!);
    measure();
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (isFollowing.value) frame.current!.scrollTop = rows * ROW_PX;
  }, [version, rows, isFollowing.value]);
  const shownMatch = search.value === "" ? undefined : matches[found.value];
  const goal = shownMatch ?? (target > 0 && lines.has(target) ? lines.indexOf(target) : -1);
  const reader = useRef({ lines, number: 0, offset: 0 });
  // The same line, even if earlier ones have come meanwhile.
  const goalKey = goal < 0 ? "" : shownMatch === undefined ? `line ${target}` : `match ${goal}`;
  useLayoutEffect(() => {
    const { lines: before, number, offset } = reader.current;
    reader.current.lines = lines;
    if (before === lines || before.count === 0) return;
    frame.current!.scrollTop = lines.startOf(lines.indexOf(number)) * ROW_PX + offset;
  }, [lines]);
  useLayoutEffect(() => {
    if (goal < 0) return;
    isFollowing.value = false;
    const middle = lines.startOf(goal) - Math.floor(size.value.rows / 2);
    frame.current!.scrollTop = Math.max(0, middle) * ROW_PX;
  }, [goalKey]);

  const firstRow = Math.max(0, Math.floor(top.value / ROW_PX) - MARGIN_ROWS);
  const first = lines.length === 0 ? 0 : lines.indexAt(firstRow);
  const lastRow = firstRow + size.value.rows + 2 * MARGIN_ROWS;
  const drawn: JSX.Element[] = [];
  for (let index = first; index < lines.length && lines.startOf(index) <= lastRow; index++) {
    const line = lines.line(index);
    drawn.push(
      <LogRow
        key={index}
        line={line}
        search={search.value}
        isCurrent={index === shownMatch}
        isTarget={line.number === target}
      />,
    );
  }
  return (
    <div
      ref={frame}
      class={logWrap.value === "on" ? "log log-wrap" : "log"}
      tabIndex={0}
      role="region"
      aria-label="Log"
      style={{ height: `min(62vh, 680px, ${rows * ROW_PX + SCROLLBAR_PX}px)` }}
      onScroll={() => {
        const { scrollTop, scrollHeight, clientHeight } = frame.current!;
        top.value = scrollTop;
        if (lines.length > 0) {
          const index = lines.indexAt(Math.floor(scrollTop / ROW_PX));
          const offset = scrollTop - lines.startOf(index) * ROW_PX;
          reader.current = { lines, number: lines.line(index).number, offset };
        }
        const isAtEnd = scrollHeight - clientHeight - scrollTop < NEAR_ROWS * ROW_PX;
        // Scrolling away stops following; scrolling to the end resumes it, unless a searched or
        // linked line is shown.
        if (!isAtEnd) isFollowing.value = false;
        else if (view.isRunning && goal < 0) isFollowing.value = true;
      }}
    >
      <span ref={ruler} class="log-ruler" aria-hidden="true">{"0".repeat(100)}</span>
      <div class="log-all" style={{ height: `${rows * ROW_PX}px` }}>
        <div
          class="log-drawn"
          style={{
            transform: `translateY(${lines.length === 0 ? 0 : lines.startOf(first) * ROW_PX}px)`,
          }}
        >
          {drawn}
        </div>
      </div>
    </div>
  );
}

/** Results of a search so far. */
interface Matches {
  /** Indexes of the matching lines. */
  readonly indexes: readonly number[];
  /** True if all lines were searched. */
  readonly isDone: boolean;
}

/** The lines with the searched text, found part by part, without blocking. */
function useMatches({ stream, search, level }: View): Matches {
  const { lines } = stream;
  const matches = useSignal<Matches>({ indexes: [], isDone: false });
  const shown = useRef<LogSearch | null>(null);
  const running = useMemo(
    () => new LogSearch(lines, search.value),
    [lines, search.value, level.value],
  );
  useEffect(() => {
    let cancel = () => {};
    const step = () => {
      const isDone = running.step(SEARCHED_LINES);
      const before = matches.peek();
      if (
        shown.current !== running || running.found.length !== before.indexes.length ||
        isDone !== before.isDone
      ) {
        shown.current = running;
        matches.value = { indexes: [...running.found], isDone };
      }
      if (!isDone) cancel = after(0, step);
    };
    step();
    return () => cancel();
  }, [running, stream.version.value]);
  const { indexes, isDone } = matches.value;
  // While the log is being read, or only partly shown, there may be more.
  return { indexes, isDone: isDone && stream.isComplete.value && !stream.isPart };
}

/** The log of an instance: live, with search, levels, wrapping, and a link to each line. */
export function LogView({ stream, isRunning }: {
  readonly stream: LogStream;
  readonly isRunning: boolean;
}): JSX.Element {
  const view: View = {
    stream,
    isRunning,
    search: useSignal(""),
    level: useSignal("debug"),
    found: useSignal(0),
    isFollowing: useSignal(isRunning && place.peek().hash === ""),
    size: useSignal({ rows: 40, columns: 80 }),
  };
  // Before the search, which inspects the shown lines.
  stream.lines.arrange(
    view.level.value,
    logWrap.value === "on" ? view.size.value.columns : Infinity,
  );
  const matches = useMatches(view);
  const { count } = stream.lines;
  if (count === 0) {
    return (
      <p class="empty">
        {isRunning
          ? "It has written nothing yet. Lines appear here as they are written."
          : stream.state.value === "ended" || stream.state.value === "open"
          ? "It wrote nothing. What a job prints to stdout and stderr appears here."
          : "Reading the log…"}
      </p>
    );
  }
  return (
    <div class="log-frame">
      <Toolbar view={view} matches={matches} />
      <Lines view={view} matches={matches.indexes} />
      <p class="hint log-foot">
        {stream.isPart
          ? `Reading the lines before these: ${formatCount(stream.read)} so far`
          : `${plural(count, "line")}${stream.isComplete.value ? "" : " so far"}`}
        {isRunning && stream.state.value === "broken" && ", connecting again"}
      </p>
    </div>
  );
}
