import { batch, type Signal, signal } from "@preact/signals";
import { apiUrl, get } from "../api/client.ts";
import { follow, type StreamState } from "../api/events.ts";
import { revision, slowRevision } from "../api/resource.ts";
import { after, nowMs } from "../browser/clock.ts";
import { isNotice } from "../text/notice_kind.ts";
import type {
  GetStatusResponse,
  Incident,
  JobInstance,
  KindCounts,
  ListPausesResponse,
  Node,
  PauseEntry,
  UpcomingRun,
  WatchResponse,
} from "../gen/api_types.ts";

/** State of the stream: shown data are up to date while it is open. */
export const liveState = signal<StreamState>("connecting");

/** The daemon's reports; null before its first message. */
export const overview = {
  status: signal<GetStatusResponse | null>(null),
  totals: signal<KindCounts | null>(null),
  kinds: signal<ReadonlyMap<string, KindCounts>>(new Map()),
  running: signal<readonly JobInstance[] | null>(null),
  hasMoreRunning: signal(false),
  upcoming: signal<readonly UpcomingRun[] | null>(null),
  failures: signal<readonly JobInstance[] | null>(null),
  incidents: signal<readonly Incident[] | null>(null),
  pauses: signal<readonly PauseEntry[] | null>(null),
  nodes: signal<readonly Node[] | null>(null),
  /** Why the daemon can read nothing at the moment. */
  problem: signal<string | null>(null),
};

/** Shortest time between two readings of a page's data, in milliseconds. */
const READ_AGAIN_MS = 2_000;
/** The same for what costs more to read. */
const READ_SLOWLY_MS = 20_000;

let readAtMs = -Infinity;
let slowAtMs = -Infinity;
let isReadPlanned = false;

/** Reload the shown data soon: not for each change, and not while nobody looks. */
function planReading(): void {
  if (isReadPlanned) return;
  isReadPlanned = true;
  after(Math.max(0, readAtMs + READ_AGAIN_MS - nowMs()), () => {
    isReadPlanned = false;
    if (document.hidden) return void (isStale = true);
    readAtMs = nowMs();
    revision.value++;
    planSlowReading();
  });
}

let isSlowPlanned = false;

/** The same for what costs more to read. */
function planSlowReading(): void {
  if (isSlowPlanned) return;
  isSlowPlanned = true;
  after(Math.max(0, slowAtMs + READ_SLOWLY_MS - nowMs()), () => {
    isSlowPlanned = false;
    slowAtMs = nowMs();
    slowRevision.value++;
  });
}

/** True if something has changed while the page was hidden. */
let isStale = false;

function put<T>(target: Signal<T>, value: T | undefined): void {
  if (value !== undefined) target.value = value;
}

function putKinds({ is_whole, kinds }: WatchResponse): void {
  if (kinds.length === 0 && !is_whole) return;
  const merged = new Map(is_whole ? [] : overview.kinds.peek());
  for (const counts of kinds) merged.set(counts.kind, counts);
  overview.kinds.value = merged;
}

/** False for notices, which are not counted either. */
function isShown({ kind }: { readonly kind: string }): boolean {
  return !isNotice(kind);
}

function receive(message: WatchResponse): void {
  batch(() => {
    put(overview.status, message.status);
    put(overview.totals, message.totals);
    put(overview.running, message.running?.instances.filter(isShown));
    if (message.running !== undefined) {
      overview.hasMoreRunning.value = message.running.next_page_token !== undefined;
    }
    put(overview.upcoming, message.upcoming?.runs.filter(isShown));
    put(overview.failures, message.failures?.instances);
    put(overview.incidents, message.incidents?.incidents);
    put(overview.pauses, message.pauses?.pauses);
    put(overview.nodes, message.nodes?.nodes);
    overview.problem.value = message.problem ?? null;
    putKinds(message);
  });
  const isOther = message.changed.length > 0 || message.changes_missed || message.is_whole ||
    message.upcoming !== undefined || message.pauses !== undefined ||
    message.incidents !== undefined || message.nodes !== undefined;
  if (isOther) planReading();
}

/** Read the pauses now: the daemon polls other daemons' pauses only every few seconds. */
export async function readPauses(): Promise<void> {
  overview.pauses.value = (await get<ListPausesResponse>("/pauses")).pauses;
}

/** Follow changes, with one stream for the whole page. */
export function startLive(): void {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !isStale) return;
    isStale = false;
    planReading();
  });
  let cursor = "";
  void follow({
    url: () => apiUrl("/watch", { cursor }),
    signal: new AbortController().signal,
    onEvent: ({ data }) => {
      const message = JSON.parse(data) as WatchResponse;
      cursor = message.cursor;
      receive(message);
    },
    onState: (state) => liveState.value = state,
  });
}
