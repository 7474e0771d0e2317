import { basename } from "node:path";
import { JobError } from "../../core/errors.ts";
import type { ConfigProblem, Place } from "../../core/config_problem.ts";
import type { ChannelSettings } from "../../core/notices/settings.ts";
import { countText } from "../../core/text/count_text.ts";
import type { LogFields, Logger } from "../../platform/logger.ts";

/** Problems listed in one message; the rest are counted. */
const LISTED_MAX = 100;

/** The readable parts of a refused configuration, to be checked further. */
export interface ReadPart {
  /** The channels without problems. */
  readonly channels: readonly ChannelSettings[];
  readonly warnings: readonly ConfigProblem[];
}

/** A refused configuration: `invalid_config`, with every problem found. */
export class ConfigError extends JobError {
  readonly problems: readonly ConfigProblem[];
  /** The files read, as absolute paths. */
  readonly files: readonly string[];
  readonly read: ReadPart;

  constructor(
    file: string | null,
    problems: readonly ConfigProblem[],
    files: readonly string[] = [],
    read: ReadPart = { channels: [], warnings: [] },
  ) {
    const count = countText(problems.length, "problem");
    const listed = problems.slice(0, LISTED_MAX).map((problem) => `  ${formatProblem(problem)}`);
    if (problems.length > LISTED_MAX) listed.push(`  and ${problems.length - LISTED_MAX} more`);
    const what = file === null ? "Cannot use the configuration" : `Cannot load config "${file}"`;
    super("invalid_config", [`${what}: ${count}`, ...listed].join("\n"), {
      hint: 'Every key is in "jobctl docs configuration"',
    });
    this.problems = problems;
    this.files = files;
    this.read = read;
  }
}

/** A problem of no job in particular. */
export function problemAt(
  place: Place | null,
  path: string,
  message: string,
  hint?: string,
): ConfigProblem {
  return { place, path, message, ...(hint === undefined ? {} : { hint }), job: null };
}

/** A place as text: `file:line:column`. */
export function formatPlace({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** One line for a problem: `file:line:column: path: message (hint)`. */
export function formatProblem(problem: ConfigProblem): string {
  const { place, path, message, hint } = problem;
  const parts = [];
  if (place !== null) parts.push(formatPlace(place));
  if (path !== "") parts.push(path);
  parts.push(message);
  return parts.join(": ") + (hint === undefined ? "" : ` (${hint})`);
}

/** The same with only the file's base name and without hint: callers must not learn our folders. */
export function formatBriefly({ place, path, message }: ConfigProblem): string {
  const brief = place === null ? null : { ...place, file: basename(place.file) };
  return formatProblem({ place: brief, path, message, job: null });
}

/**
 * Log a problem that disables one job, or omits one file of jobs.
 *
 * @param when a start lacks the jobs of an unreadable file, a reload keeps them
 */
export function logProblem(
  problem: ConfigProblem,
  { logger, when }: { readonly logger: Logger; readonly when: "start" | "reload" },
): void {
  logger.error(loggedText(problem, when), problemFields(problem));
}

function loggedText(
  { job, message, place, unread }: ConfigProblem,
  when: "start" | "reload",
): string {
  if (job !== null) return `Job "${job}" is disabled: ${message}`;
  // The place of a directory names it.
  const what = unread === undefined || place === null
    ? message
    : `Cannot read "${unread}": ${message}`;
  return `${what}; its jobs ${when === "start" ? "are missing" : "stay as they were"}`;
}

/** The fields of a problem's log line, in addition to its message. */
export function problemFields({ place, path, hint }: ConfigProblem): LogFields {
  const key = path === "" ? undefined : path;
  return { place: place === null ? undefined : formatPlace(place), key, hint };
}

/** In the order of files and lines. Of several problems of one value, only the first is kept. */
export function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>();
  const files = [...new Set(problems.map((problem) => problem.place?.file))];
  return problems.filter((problem) => {
    const id = JSON.stringify([problem.place, problem.path]);
    const isFirst = problem.path === "" || !seen.has(id);
    seen.add(id);
    return isFirst;
  }).sort((a, b) =>
    files.indexOf(a.place?.file) - files.indexOf(b.place?.file) ||
    (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0)
  );
}
