import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import { shortIds } from "../../core/text/short_ids.ts";
import { formatRelative, roughDuration } from "../../core/time/duration.ts";
import type { Incident, JobInstance, Node, UpcomingRun } from "../../rpc/gen/job_pb.ts";
import type { Style } from "../output/table.ts";
import { nodeStyle } from "../views/node_view.ts";
import { errorLine, firstLine, progressText, settledAt } from "../views/instance_view.ts";
import { failedCell } from "../views/state_words.ts";
import { sizeText } from "../views/usage_view.ts";
import { msOf } from "../io/wire.ts";
import type { TopData } from "./top_data.ts";

/** A field of a row. */
export interface Field {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** A column of a section: as wide as its texts, up to a limit and to the rest of the line. */
export interface FieldWidth {
  readonly max: number;
  /** True for a column that sections share: it has the same place in all of them. */
  readonly isShared?: boolean;
  /** Omitted on narrower terminals. */
  readonly fromColumns?: number;
}

/** The subject of a row. */
export type Subject =
  | { readonly type: "running" | "failure"; readonly instance: JobInstance }
  | { readonly type: "upcoming"; readonly run: UpcomingRun }
  | { readonly type: "incident"; readonly incident: Incident }
  | { readonly type: "node"; readonly node: Node };

/** A row that keys act on. */
export interface Row {
  /** The same after the next message. */
  readonly key: string;
  readonly subject: Subject;
  readonly fields: readonly Field[];
}

/** A part of the view. */
export interface Section {
  readonly title: string;
  /** The text shown in place of rows. */
  readonly empty: string;
  /** Number of free rows it gets in each round of their distribution. */
  readonly weight: number;
  readonly widths: readonly FieldWidth[];
  readonly rows: readonly Row[];
  /** There are more than the daemon reports. */
  readonly hasMore: boolean;
}

/** Selection of the data to show, and the time. */
export interface SectionOptions {
  /** Only kinds that contain this, in upper or lower case. */
  readonly filter: string;
  readonly nowMs: number;
  /** Width of the terminal. */
  readonly columns: number;
}

/** An id as it is shown and can be typed. */
export function shortId(uuid: string): string {
  return shortIds([uuid])(uuid);
}

/** The kind of a row's subject; undefined without one. */
export function kindOf(subject: Subject): string | undefined {
  if (subject.type === "upcoming") return subject.run.kind;
  if (subject.type === "node") return undefined;
  if (subject.type !== "incident") return subject.instance.kind;
  return subject.incident.type === "job" ? subject.incident.name : undefined;
}

/** Longest times: "59m59s ago", "in 364d23h". */
const TIME_CELLS = 12;
/** Longest bars with their shares: "██████████ 100 %". */
const PROGRESS_CELLS = 16;
/** Whole ids. */
const ID_CELLS_MAX = 36;
const REST: FieldWidth = { max: 400 };

/** Columns of rows about runs: id, kind and time. */
function runWidths(columns: number): readonly FieldWidth[] {
  const kindCells = Math.max(KIND_CELLS_MIN, Math.floor(columns * KIND_SHARE));
  const widths = [{ max: ID_CELLS_MAX }, { max: kindCells }, { max: TIME_CELLS }];
  return widths.map((width) => ({ ...width, isShared: true }));
}

const KIND_CELLS_MIN = 12;
const KIND_SHARE = 1 / 5;

/** The parts of the view, the most important first. */
export function sectionsOf(data: TopData, options: SectionOptions): readonly Section[] {
  const { nowMs, columns } = options;
  const filter = options.filter.toLowerCase();
  const isShown = (kind: string) => kind.toLowerCase().includes(filter);
  const isAsked = (kind: string) => isShown(kind) && !kind.startsWith(NOTICE_KINDS);
  const running = data.running.filter(({ kind }) => isAsked(kind));
  const upcoming = data.upcoming.filter(({ kind }) => isAsked(kind));
  const failures = data.failures.filter(({ kind }) => isShown(kind));
  const incidents = data.incidents.filter(({ name }) => isShown(name));
  const nodes = data.nodes.length > 1 && filter === "" ? data.nodes : [];
  const widths = runWidths(columns);
  const short = shortIds([...running, ...failures].map(({ uuid }) => uuid));
  return [
    {
      title: "Running",
      empty: "nothing",
      weight: 2,
      hasMore: data.hasMoreRunning,
      widths: [...widths, { max: PROGRESS_CELLS }, REST],
      rows: running.map((instance) => runningRow(instance, data, { ...options, short })),
    },
    {
      title: "Next",
      empty: "nothing is due",
      weight: 1,
      hasMore: data.hasMoreUpcoming,
      widths: [...widths, REST],
      rows: upcoming.map((run) => upcomingRow(run, data, { ...options, short })),
    },
    {
      title: "Failed",
      empty: "nothing",
      weight: 1,
      hasMore: false,
      widths: [...widths, REST],
      rows: failures.map((instance) => failureRow(instance, { ...options, short })),
    },
    {
      title: "Incidents",
      empty: "",
      weight: 1,
      hasMore: false,
      widths: [{ max: 24 }, { max: 16 }, { max: TIME_CELLS }, REST],
      rows: incidents.map((incident) => incidentRow(incident, nowMs)),
    },
    {
      title: "Nodes",
      empty: "",
      weight: 1,
      hasMore: false,
      widths: [{ max: 24 }, { max: 9 }, { max: 14 }, { max: 12, fromColumns: 70 }, REST],
      rows: nodes.map((node) => nodeRow(node, nowMs)),
    },
  ].filter(({ rows, empty }) => rows.length > 0 || empty !== "");
}

const BAR_CELLS = 10;
/** On a narrow terminal. */
const BAR_CELLS_FEW = 5;
const NARROW_COLUMNS = 70;

/** Progress as a bar and a share, or the job's own words without a known end. */
function progressBar(instance: JobInstance, columns: number): string {
  const { progress } = instance;
  if (progress?.total === undefined || !(progress.total > 0)) return progressText(instance) ?? "";
  const cells = columns < NARROW_COLUMNS ? BAR_CELLS_FEW : BAR_CELLS;
  const share = Math.min(1, Math.max(0, progress.done / progress.total));
  const full = Math.floor(share * cells);
  return `${"█".repeat(full)}${"░".repeat(cells - full)} ${Math.floor(share * 100)} %`;
}

interface RowOptions extends SectionOptions {
  /** Shortens ids. */
  readonly short: (uuid: string) => string;
}

function runningRow(
  instance: JobInstance,
  { nodes }: TopData,
  { nowMs, columns, short }: RowOptions,
): Row {
  const startedMs = msOf(instance.processedAt);
  const isCanceling = instance.cancelRequestedAt !== undefined;
  const attempts = instance.attempts ?? 1;
  const notes = [
    isCanceling ? "canceling" : instance.frozenAt === undefined ? "" : "frozen",
    attempts > 1 ? `attempt ${attempts}` : "",
    sizeText(instance.process?.rssBytes) ?? "",
    nodes.length > 1 ? instance.node ?? "" : "",
  ].filter((text) => text !== "").join(", ");
  return {
    key: `running ${instance.uuid}`,
    subject: { type: "running", instance },
    fields: [
      { text: short(instance.uuid), style: "dim" },
      { text: instance.kind },
      { text: startedMs === undefined ? "" : ageText(nowMs - startedMs), style: "active" },
      { text: progressBar(instance, columns) },
      { text: notes, style: isCanceling ? "warn" : "dim" },
    ],
  };
}

/** Running time of something, in whole seconds. */
function ageText(ms: number): string {
  return ms < 1_000 ? "0s" : roughDuration(ms);
}

function upcomingRow(
  run: UpcomingRun,
  { pauses }: TopData,
  { nowMs, short }: RowOptions,
): Row {
  const dueMs = msOf(run.dueAt) ?? nowMs;
  const pause = pauses.find(({ kind }) => kind === undefined || kind === run.kind);
  const source = run.scheduleId ?? "requested";
  return {
    key: `upcoming ${run.uuid ?? run.scheduleId ?? run.kind}`,
    subject: { type: "upcoming", run },
    fields: [
      { text: run.uuid === undefined ? "" : short(run.uuid), style: "dim" },
      { text: run.kind },
      { text: dueMs <= nowMs ? "due" : formatRelative(dueMs, nowMs), style: "active" },
      pause === undefined ? { text: source, style: "dim" } : { text: "paused", style: "warn" },
    ],
  };
}

function failureRow(instance: JobInstance, { nowMs, short }: RowOptions): Row {
  const endedMs = msOf(settledAt(instance));
  return {
    key: `failure ${instance.uuid}`,
    subject: { type: "failure", instance },
    fields: [
      { text: short(instance.uuid), style: "dim" },
      { text: instance.kind },
      { text: endedMs === undefined ? "" : formatRelative(endedMs, nowMs) },
      { text: failureText(instance), style: "bad" },
    ],
  };
}

/** Why it failed: `exit 75: the shop does not respond`. */
function failureText(instance: JobInstance): string {
  const reason = failedCell(instance).text.replace(/^failed(: )?/, "");
  return [reason, errorLine(instance)].filter((text) => text !== "").join(": ");
}

function incidentRow(incident: Incident, nowMs: number): Row {
  const { type, name, events, lastError, acknowledgedBy } = incident;
  const openedMs = msOf(incident.openedAt) ?? nowMs;
  const isKnown = acknowledgedBy !== undefined;
  const count = incident.count > 1n ? ` × ${incident.count}` : "";
  const known = isKnown ? `known to ${acknowledgedBy}` : "";
  const what = [known, firstLine(lastError ?? "")].filter((text) => text !== "");
  return {
    key: `incident ${incident.id}`,
    subject: { type: "incident", incident },
    fields: [
      { text: type === "job" ? name : `${type} ${name}` },
      { text: `${events.join(", ")}${count}`, style: isKnown ? "dim" : "bad" },
      { text: formatRelative(openedMs, nowMs) },
      { text: what.join(": "), style: "dim" },
    ],
  };
}

function nodeRow(node: Node, nowMs: number): Row {
  const seenMs = msOf(node.seenAt) ?? nowMs;
  const hasEnded = node.state === "left" || node.state === "lost";
  return {
    key: `node ${node.id}`,
    subject: { type: "node", node },
    fields: [
      { text: node.id },
      { text: node.state, style: nodeStyle(node) },
      {
        text: hasEnded
          ? `seen ${formatRelative(seenMs, nowMs)}`
          : `${node.busy} of ${node.workers} busy`,
      },
      { text: node.version, style: "dim" },
      { text: node.tags.join(", "), style: "dim" },
    ],
  };
}
