import { signal } from "@preact/signals";

/** The roles of callers, lowest first. */
export const ROLES = ["viewer", "operator", "admin"] as const;

/** A role. */
export type Role = typeof ROLES[number];

/** The role of who looks at the page. The daemon checks it again with each request. */
export const role = signal<Role>("admin");

/** True if the reader may do what needs a role. */
export function may(needed: Role): boolean {
  return ROLES.indexOf(role.value) >= ROLES.indexOf(needed);
}
