import type { JSX } from "preact";
import { shownZone } from "../state/settings.ts";
import { parseAnsi } from "../text/ansi.ts";
import { msOf, timeParts } from "../text/format_time.ts";
import type { LogLine } from "./log_lines.ts";

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
export function LogRow({ line, search, isCurrent, isTarget }: {
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
