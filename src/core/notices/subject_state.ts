import type { Incident } from "./incident.ts";
import type { NoticeEvent, NoticeSubject } from "./notice.ts";

/** The state of a notice subject that a memo keeps between news. */
export interface SubjectState {
  /** The open incident, or else the last one; null before the first. */
  readonly incident: Incident | null;
  /** Id of the previous incident; null for the first. */
  readonly previousId: string | null;
  /** Failures since the last success. */
  readonly streak: number;
  /** Results of the last runs, latest last: `f` for a failure, else `o`; "" without failures. */
  readonly recent: string;
  /** Events of the open incident that each channel was notified of, by the channel's name. */
  readonly notified: Readonly<Record<string, readonly NoticeEvent[]>>;
  /** Reminders that each channel was sent in the open incident, by the channel's name. */
  readonly reminders: Readonly<Record<string, number>>;
  /**
   * Number of recoveries for each channel, by the channel's name; absent for 0. One incident can
   * have several, while another channel still sees a problem.
   */
  readonly rounds: Readonly<Record<string, number>>;
  /**
   * Time since which no live node has had the subject, epoch ms by the clock of the store; absent
   * while one has it. A time before the open incident is invalid.
   */
  readonly goneSince?: number;
  /** Ids of the last news that can come twice. */
  readonly seen: readonly string[];
}

/** Most ids of news that a subject remembers. */
const SEEN_MAX = 100;

/** The state of an unknown subject. */
export const EMPTY_SUBJECT: SubjectState = {
  incident: null,
  previousId: null,
  streak: 0,
  recent: "",
  notified: {},
  reminders: {},
  rounds: {},
  seen: [],
};

/** The state after a run that ended; the last `most` runs are remembered. */
export function withRun(state: SubjectState, isFailure: boolean, most: number): SubjectState {
  const recent = most === 0 ? "" : `${state.recent}${isFailure ? "f" : "o"}`.slice(-most);
  return { ...state, recent: recent.includes("f") ? recent : "" };
}

/** Number of failures among the last runs. */
export function countFailures({ recent }: SubjectState, runs: number): number {
  return recent.slice(-runs).split("f").length - 1;
}

/** Read the state in a memo's data; members missing in older versions are empty. */
export function readSubject(data: string): SubjectState {
  return data === "" ? EMPTY_SUBJECT : { ...EMPTY_SUBJECT, ...JSON.parse(data) as SubjectState };
}

/** The state as the data of a memo. */
export function writeSubject(state: SubjectState): string {
  return JSON.stringify(state);
}

/** The state with the id of news that was processed. */
export function withSeen(state: SubjectState, id: string): SubjectState {
  return { ...state, seen: [...state.seen, id].slice(-SEEN_MAX) };
}

/** The state after its open incident was closed without a recovery; its channels start afresh. */
export function closeIncident<State extends SubjectState & { readonly incident: Incident }>(
  { goneSince: _, ...state }: State,
  { at, reason }: { readonly at: number; readonly reason: string },
): SubjectState & { readonly incident: Incident } {
  return {
    ...state,
    streak: 0,
    recent: "",
    notified: {},
    reminders: {},
    incident: { ...state.incident, closedAt: at, closedReason: reason },
  };
}

/** Key of the memo of a subject. */
export function memoKeyOf({ type, name }: NoticeSubject): string {
  return `${type}:${name}`;
}

/** The subject of a memo; null for the key of any other memo. */
export function subjectOfMemo(key: string): NoticeSubject | null {
  const match = /^(job|node|daemon|store|channel):(.*)$/s.exec(key);
  if (match === null) return null;
  return { type: match[1] as NoticeSubject["type"], name: match[2]! };
}
