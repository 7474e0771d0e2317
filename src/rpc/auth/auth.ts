import { JobError } from "../../core/errors.ts";
import type { Role } from "../../platform/files/tokens_file.ts";
import type { MethodName } from "../backend.ts";

export { type Role, ROLES } from "../../platform/files/tokens_file.ts";

/** A caller and its rights. */
export interface Caller {
  /** Identifies it in messages. */
  readonly name: string;
  readonly role: Role;
  /** Kinds, or patterns of kinds, that it is limited to; null for all. */
  readonly jobs: readonly string[] | null;
}

/**
 * A caller that may do everything: root and the daemon's user on the Unix socket, and everyone
 * without authentication.
 */
export const OWNER: Caller = { name: "the owner", role: "admin", jobs: null };

/** The role that each method requires; a higher role includes the lower ones. */
export const METHOD_ROLE: Readonly<Record<MethodName, Role>> = {
  getVersion: "viewer",
  listRegisteredJobs: "viewer",
  getJob: "viewer",
  lookupInstances: "viewer",
  getInstance: "viewer",
  waitInstance: "viewer",
  lookupInstanceHistory: "viewer",
  lookupInstanceLogs: "viewer",
  follow: "viewer",
  listSchedules: "viewer",
  getSchedule: "viewer",
  getWorkers: "viewer",
  getStatus: "viewer",
  listNodes: "viewer",
  countInstances: "viewer",
  getJobStats: "viewer",
  listUpcoming: "viewer",
  forecast: "viewer",
  calendar: "viewer",
  lookupTimeline: "viewer",
  watch: "viewer",
  scheduleJob: "operator",
  scheduleJobs: "operator",
  cancelInstances: "operator",
  retryInstance: "operator",
  freezeInstance: "operator",
  redriveInstances: "operator",
  resizeWorkers: "admin",
  reloadConfig: "admin",
  stopDaemon: "admin",
  upgradeDaemon: "admin",
  // It names files, users and hosts.
  getConfig: "admin",
  getStore: "viewer",
  explain: "viewer",
  listPauses: "viewer",
  runSchedule: "operator",
  skipTicks: "operator",
  backfill: "operator",
  pause: "operator",
  resume: "operator",
  updateSchedule: "admin",
  deleteSchedule: "admin",
  listIncidents: "viewer",
  acknowledgeIncident: "operator",
  setSilence: "operator",
  removeSilence: "operator",
  listSilences: "viewer",
  listChannels: "viewer",
  // It shows addresses, and reaches people.
  testNotice: "admin",
  reportRun: "operator",
  getPingKey: "admin",
  workOnStore: "admin",
  // A session has no more rights than the caller who opens it, and ends with them. Callers other
  // than admins see and end only their own.
  createLoginCode: "viewer",
  getCaller: "viewer",
  listSessions: "viewer",
  revokeSessions: "viewer",
};

/** A call that requires a role: a method of JobService, or reflection of either version. */
export type CallName = MethodName | "serverReflectionInfo";

/** The role that each call requires. */
export const CALL_ROLE: Readonly<Record<CallName, Role>> = {
  ...METHOD_ROLE,
  serverReflectionInfo: "viewer",
};

/** Request fields that require another role than their method, by method. */
export const FIELD_ROLE = {
  // A recurring schedule outlives the token of its caller.
  scheduleJob: { cron: "admin" },
  // It would also hide that a node died or that the store failed.
  setSilence: { all: "admin" },
  removeSilence: { all: "admin" },
} as const satisfies Partial<Record<MethodName, Readonly<Record<string, Role>>>>;

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Decides who may call what on a listener. */
export interface Authenticator {
  /**
   * The caller of a call that is allowed, or the refusal.
   *
   * @param authorization the header of that name
   * @param connection as {@link connectionKey} names it
   */
  check(
    method: CallName,
    authorization: string | undefined,
    connection: string,
  ): Caller | JobError;
}

/** A key that identifies an open connection. */
export function connectionKey(
  connection: {
    readonly localAddress?: string | undefined;
    readonly localPort?: number | undefined;
    readonly remoteAddress?: string | undefined;
    readonly remotePort?: number | undefined;
  },
): string {
  const { localAddress, localPort, remoteAddress, remotePort } = connection;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/**
 * The authenticator of a listener on which all callers have the same rights.
 *
 * @returns null if they may call every method
 */
export function createFixedAuthenticator(caller: Caller): Authenticator | null {
  if (caller.role === "admin" && caller.jobs === null) return null;
  return { check: (method) => allow(caller, method) };
}

/** The caller if its role suffices for a method, or the refusal. */
export function allow(caller: Caller, method: CallName): Caller | JobError {
  const needed = CALL_ROLE[method];
  if (RANK[caller.role] >= RANK[needed]) return caller;
  return new JobError(
    "permission_denied",
    `Cannot call ${method} as "${caller.name}": its role is ${caller.role}, ` +
      `${needed} is needed`,
    {
      hint: "Use a token of that role (--token-file FILE), or a certificate; on the Unix socket, " +
        "root and the daemon's user are admins",
    },
  );
}
