import { REPORT_AGE_MS_MAX, type ReportedRun } from "../../core/job/external.ts";
import { isUuid } from "../../core/instance.ts";
import type { Ping } from "./status_source.ts";

/** Start of the paths of pings. */
export const PING_PATH = "/ping/";

/** Endings of a path, and their events. */
const EVENTS: Readonly<Record<string, ReportedRun["event"]>> = {
  start: "start",
  fail: "failure",
  log: "log",
};
const KEY = /^[A-Za-z0-9_-]{20,200}$/;

/** A refusal of a ping: the response's status and text. */
export interface PingRefusal {
  readonly status: number;
  readonly text: string;
}

/** An ambiguous ping, which the keys decide: `KEY/start`, or the job `start`. */
export interface ReadPing {
  /** In the order in which they are tried. */
  readonly candidates: readonly Ping[];
}

/** Headers in which browsers give the reason for a request. */
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * True if a browser sends a request for a page of another site, or ahead of time: a ping changes
 * something, although it may be a GET.
 */
export function isForeign(headers: Headers): boolean {
  const { "sec-fetch-site": site, "sec-purpose": purpose, purpose: older } = headers;
  if (site !== undefined && site !== "none" && site !== "same-origin") return true;
  // Browsers name the site only to servers with TLS or on loopback.
  if (site === undefined && (headers.origin !== undefined || hasForeignReferer(headers))) {
    return true;
  }
  return [purpose, older].some((value) => String(value ?? "").includes("prefetch"));
}

function hasForeignReferer({ referer, host }: Headers): boolean {
  if (referer === undefined) return false;
  const page = String(referer);
  return !URL.canParse(page) || new URL(page).host !== host;
}

/** The key of a ping in its URL, as written there. */
export function keyOfPing(url: string): string {
  return /^[^/?]*/.exec(url.slice(PING_PATH.length))![0];
}

/**
 * Read the URL of a ping, in the form of healthchecks.io: `/ping/KEY`, `/ping/KEY/start`, `/fail`,
 * `/log` and `/EXITCODE`, or with the shared key `/ping/KEY/KIND` and so on. `rid` is the id of the
 * run, `ago` its age in seconds; other parameters are ignored.
 *
 * @param host its origin
 */
export function readPing(
  url: string,
  { host }: { readonly host: string },
): ReadPing | PingRefusal {
  const [path = "", query = ""] = url.split("?", 2);
  const words = wordsOf(path.slice(PING_PATH.length).replace(/\/$/, ""));
  const [key = "", ...rest] = words ?? [];
  if (words === null || words.length > 3) return badUrl();
  // Our keys have another form.
  if (!KEY.test(key)) return { status: 404, text: "not found" };
  const params = new URLSearchParams(query);
  const runId = params.get("rid")?.toLowerCase();
  if (runId !== undefined && !isUuid(runId)) return { status: 400, text: "invalid uuid format" };
  const ago = params.get("ago");
  const seconds = Number(ago ?? 0);
  if (!(seconds >= 0 && seconds * 1_000 <= REPORT_AGE_MS_MAX)) {
    return { status: 400, text: "invalid ago: wanted seconds, at most 30 days" };
  }
  const common = {
    host,
    output: "",
    msAgo: Math.round(seconds * 1_000),
    ...(runId === undefined ? {} : { runId }),
  };
  const candidates: Ping[] = [];
  const add = (kind: string | null, word: string | undefined) => {
    const how = eventOf(word);
    if (how !== null) candidates.push({ key, kind, run: { ...common, ...how } });
  };
  if (rest.length < 2) add(null, rest[0]);
  if (rest.length > 0) add(rest[0]!, rest[1]);
  return candidates.length === 0 ? badUrl() : { candidates };
}

function wordsOf(path: string): readonly string[] | null {
  try {
    const words = path.split("/").map(decodeURIComponent);
    return words.every((word) => word !== "") ? words : null;
  } catch {
    return null;
  }
}

function eventOf(word: string | undefined): Pick<ReportedRun, "event" | "exitCode"> | null {
  if (word === undefined) return { event: "success" };
  if (Object.hasOwn(EVENTS, word)) return { event: EVENTS[word]! };
  const exitCode = /^\d{1,3}$/.test(word) ? Number(word) : 256;
  if (exitCode > 255) return null;
  return exitCode === 0 ? { event: "success" } : { event: "failure", exitCode };
}

function badUrl(): PingRefusal {
  return { status: 400, text: "invalid url format" };
}
