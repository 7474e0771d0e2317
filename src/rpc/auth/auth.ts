import { JobError } from "../../core/errors.ts";
import type { Role } from "../../platform/files/tokens_file.ts";
import type { MethodName } from "../backend.ts";
import { METHOD_RULES } from "../gen/method_rules.ts";

export { type Role, ROLES } from "../../platform/files/tokens_file.ts";

/** A caller and its rights. */
export interface Caller {
  /** Identifies it in messages. */
  readonly name: string;
  readonly role: Role;
  /** Kinds, or patterns of kinds, that it is limited to; null for all. */
  readonly jobs: readonly string[] | null;
}

/** All rights: root and the daemon's user on the Unix socket, everyone without authentication. */
export const OWNER: Caller = { name: "the owner", role: "admin", jobs: null };

/** A call that requires a role: a method of JobService, or reflection of either version. */
export type CallName = MethodName | "serverReflectionInfo";

/** The role that a call requires, or a higher one; null if nobody may make it. */
export function roleOf(call: CallName): Role | null {
  return call === "serverReflectionInfo" ? "viewer" : METHOD_RULES[call]?.role ?? null;
}

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Decides about the calls on a listener. */
export interface Authenticator {
  /**
   * The caller of an allowed call, or the refusal.
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
 * The authenticator of a listener whose callers all have the same rights.
 *
 * @returns null if they may call every method
 */
export function createFixedAuthenticator(caller: Caller): Authenticator | null {
  if (caller.role === "admin" && caller.jobs === null) return null;
  return { check: (method) => allow(caller, method) };
}

/** True if a caller has a role, or a higher one. */
export function hasRole({ role }: Pick<Caller, "role">, needed: Role): boolean {
  return RANK[role] >= RANK[needed];
}

/** The caller if its role suffices for a method, or the refusal. */
export function allow(caller: Caller, method: CallName): Caller | JobError {
  const needed = roleOf(method);
  if (needed === null) return withoutRule(method);
  if (hasRole(caller, needed)) return caller;
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

/** The refusal of a call of a method without a rule in the contract. */
export function withoutRule(method: string): JobError {
  return new JobError(
    "permission_denied",
    `Cannot call ${method}: the contract does not say who may call it`,
    { hint: "Report this as a bug: a method of job.proto has no option (call)" },
  );
}
