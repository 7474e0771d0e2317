import { JobError } from "../../../core/errors.ts";
import type { Instance } from "../../../core/instance.ts";
import { KIND_LENGTH_MAX } from "../../../core/job/kind.ts";
import {
  NODE_KEPT_MS,
  NODE_KINDS_MAX,
  NODE_TAGS_MAX,
  type NodeRecord,
  type NodeReport,
  NODES_MAX,
  type NodeStore,
} from "../../nodes.ts";
import { type ClaimKey, STORE_FORMAT } from "../../store.ts";
import { loseAttempt } from "../claiming/claims.ts";
import {
  nodeForgottenError,
  nodeGoneError,
  nodeLiveError,
  nodesFullError,
  noNodeError,
} from "../refusals.ts";
import { isStorable } from "../storable.ts";
import type { LedgerState, Moment, NodeEntry } from "../state.ts";

/** Longest host, version or tag, in characters. */
const TEXT_LENGTH_MAX = 255;

type Request<Name extends keyof NodeStore> = Parameters<NodeStore[Name]>[0];

/** Take a node id, and take back the claims of a dead session. */
export function joinNode(
  state: LedgerState,
  moment: Moment,
  request: Request<"joinNode">,
): { readonly node: NodeRecord; readonly recovered: readonly Instance[] } {
  const { id, replaces, keeps = [] } = request;
  checkNodeReport(request);
  const existing = state.nodes.get(id);
  const isReplaced = existing !== undefined && existing.record.session === replaces;
  if (existing && isLive(existing, moment) && !isReplaced) {
    throw nodeLiveError(id, existing.record);
  }
  forgetNodes(state, moment);
  if (!existing && state.nodes.size >= NODES_MAX) {
    throw nodesFullError(id, NODES_MAX);
  }
  const recovered = isReplaced ? takeBack(state, moment, { id, keeps }) : [];
  const session = Math.max((existing?.record.session ?? 0) + 1, moment.at);
  const update = { ...request, report: copy(request.report) };
  const entry = entryOf(state, moment, update, { session, wantedWorkers: null });
  state.setNode(id, entry);
  state.hints.push({ type: "nodes" });
  return { node: entry.record, recovered };
}

/** Renew a session's lease and update its report. */
export function reportNode(
  state: LedgerState,
  moment: Moment,
  request: Request<"reportNode">,
): NodeRecord {
  const { id, session } = request;
  checkNodeReport(request);
  const existing = state.nodes.get(id);
  if (!existing) throw nodeForgottenError(id);
  const { record } = existing;
  if (record.session !== session || record.leftAt !== null) {
    throw nodeGoneError(id, record.session === session ? null : record);
  }
  // A joining replica cannot do it: the leases that it loads start anew.
  forgetNodes(state, moment);
  const { report } = request;
  const merged = { ...record, ...copy(report) };
  const entry = entryOf(state, moment, { ...request, report: merged }, record);
  state.setNode(id, entry);
  if (!isLive(existing, moment) || canRunOthers(record, report)) {
    state.hints.push({ type: "nodes" });
  }
  return entry.record;
}

/** End a session. */
export function leaveNode(
  state: LedgerState,
  moment: Moment,
  { id, session }: { readonly id: string; readonly session: number },
): boolean {
  const existing = state.nodes.get(id);
  if (!existing || existing.record.session !== session || existing.record.leftAt !== null) {
    return false;
  }
  const record = { ...existing.record, seenAt: moment.wallMs, leftAt: moment.wallMs };
  state.setNode(id, { record, untilMs: moment.monotonicMs });
  state.hints.push({ type: "nodes" });
  return true;
}

/** Live nodes by id, and nodes that ended less than an hour ago. */
export function listNodes(state: LedgerState, moment: Moment): readonly NodeRecord[] {
  return [...state.nodes.values()].filter((entry) => isKept(entry, moment))
    // The lease runs on a monotonic clock: show it in wall time.
    .map(({ record, untilMs }) => ({
      ...record,
      until: Math.ceil(moment.wallMs + untilMs - moment.monotonicMs),
    }))
    .sort((a, b) => a.id < b.id ? -1 : 1);
}

/** Request another number of workers of a live node. */
export function setNodeWorkers(
  state: LedgerState,
  moment: Moment,
  { id, workers }: { readonly id: string; readonly workers: number },
): NodeRecord {
  const existing = state.nodes.get(id);
  if (!existing || !isLive(existing, moment)) {
    const live = [...state.nodes].filter(([, entry]) => isLive(entry, moment)).map(([key]) => key);
    throw noNodeError(id, live);
  }
  const record = { ...existing.record, wantedWorkers: workers };
  state.setNode(id, { ...existing, record });
  state.hints.push({ type: "nodes" });
  return record;
}

function isLive({ untilMs }: NodeEntry, moment: Moment): boolean {
  return untilMs > moment.monotonicMs;
}

function isKept({ untilMs }: NodeEntry, moment: Moment): boolean {
  return untilMs + NODE_KEPT_MS > moment.monotonicMs;
}

function forgetNodes(state: LedgerState, moment: Moment): void {
  for (const [id, entry] of [...state.nodes]) {
    if (!isKept(entry, moment)) state.setNode(id, undefined);
  }
}

/** Take back the claims of a node, whose session is dead, except the ones to keep. */
export function takeBack(
  state: LedgerState,
  moment: Moment,
  { id, keeps }: { readonly id: string; readonly keeps: readonly ClaimKey[] },
): readonly Instance[] {
  const kept = fencesOf(keeps);
  const lost = [...state.leases.values()].filter(({ row: { instance } }) => {
    return instance.node === id && kept.get(instance.id) !== instance.fence;
  });
  return lost.map(({ row }) => loseAttempt(state, moment, row));
}

/** The fences of claims by instance. */
export function fencesOf(claims: readonly ClaimKey[]): ReadonlyMap<string, number> {
  return new Map(claims.map(({ id, fence }) => [id, fence]));
}

function entryOf(
  state: LedgerState,
  moment: Moment,
  { at, id, report, leaseMs }: Request<"joinNode">,
  kept: Pick<NodeRecord, "session" | "wantedWorkers">,
): NodeEntry {
  const record: NodeRecord = {
    ...report,
    id,
    session: kept.session,
    seenAt: moment.wallMs,
    until: Math.ceil(moment.wallMs + leaseMs),
    leftAt: null,
    wantedWorkers: kept.wantedWorkers,
    format: STORE_FORMAT,
    skewMs: state.hasOwnClock ? Math.round(at.wallMs - moment.wallMs) : null,
  };
  return { record, untilMs: moment.monotonicMs + leaseMs };
}

/** A copy for readers, so that their changes do not reach ours. */
function copy<T extends Partial<NodeReport>>(report: T): T {
  const copied = JSON.parse(JSON.stringify(report)) as T;
  // Thousands of names; the caller has the same strings.
  return report.kinds === undefined ? copied : { ...copied, kinds: [...report.kinds] };
}

/** True if the node can now run other instances than before. */
function canRunOthers(before: NodeRecord, report: Partial<NodeReport>): boolean {
  const { isDraining = before.isDraining, kinds = before.kinds } = report;
  return before.isDraining !== isDraining || before.kinds.length !== kinds.length ||
    kinds.some((kind, index) => kind !== before.kinds[index]);
}

/** @throws JobError `invalid_argument` for a report that cannot be stored exactly */
export function checkNodeReport(
  { id, report }: Pick<Request<"reportNode">, "id" | "report">,
): void {
  const { version, host, tzVersion, process, tags = [], kinds = [], idle = [] } = report;
  const check = (isRight: boolean, what: string) => {
    if (isRight) return;
    throw new JobError("invalid_argument", `Cannot join: ${what}`, { path: "node" });
  };
  const isText = (text: string, most = TEXT_LENGTH_MAX) =>
    text.length >= 1 && text.length <= most && isStorable(text);
  check(isText(id), `its id must be text of 1 to ${TEXT_LENGTH_MAX} characters without NUL`);
  for (const text of [version, host, tzVersion, process, ...tags]) {
    if (text === undefined || text === null) continue;
    check(isText(text), "its host, versions and tags must be text of 1 to 255 characters");
  }
  check(tags.length <= NODE_TAGS_MAX, `it has ${tags.length} tags, at most ${NODE_TAGS_MAX}`);
  const all = [...kinds, ...idle];
  check(all.length <= NODE_KINDS_MAX, `it has ${all.length} jobs, at most ${NODE_KINDS_MAX}`);
  check(all.every((kind) => isText(kind, KIND_LENGTH_MAX)), "a kind of its jobs cannot be stored");
}
