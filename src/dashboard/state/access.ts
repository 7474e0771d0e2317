import { signal } from "@preact/signals";
import { get } from "../api/client.ts";
import type { ListSessionsResponse, Session } from "../gen/api_types.ts";

const ROLES = ["viewer", "operator", "admin"] as const;

type Role = typeof ROLES[number];

/** The session of this browser; null without logins, undefined while unknown. */
export const session = signal<Session | null | undefined>(undefined);

/**
 * True if the reader has the rights of a role. The daemon checks it again with each request; this
 * only omits impossible actions.
 */
export function may(needed: Role): boolean {
  if (session.value === undefined) return false;
  if (session.value === null) return true;
  return ROLES.indexOf(session.value.role as Role) >= ROLES.indexOf(needed);
}

/** True if the reader is not limited to some jobs. */
export function seesAll(): boolean {
  return session.value === null || session.value?.jobs.length === 0;
}

/** Ask the daemon who reads. */
export async function loadSession(): Promise<void> {
  try {
    const { sessions } = await get<ListSessionsResponse>("/sessions");
    session.value = sessions.find(({ is_current }) => is_current) ?? null;
  } catch {
    // A refusal has already been noted; buttons are then refused one by one.
  }
}
