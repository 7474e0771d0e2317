import type { MethodName } from "../../rpc/backend.ts";

/** Methods that create an instance: the response has status 201, and says where it is. */
export const CREATES: ReadonlySet<MethodName> = new Set([
  "scheduleJob",
  "scheduleJobs",
  "retryInstance",
  "runSchedule",
]);

/** The response of a method that may create something. */
export interface Created {
  readonly instance?: { readonly uuid: string };
  readonly schedule?: { readonly id: string };
}

/**
 * Where that is which was created; null if nothing was, or several instances were.
 *
 * @param response the message
 * @param basePath path of the server behind a proxy
 */
export function placeOf({ instance, schedule }: Created, basePath: string): string | null {
  if (instance?.uuid) return `${basePath}/api/v1/instances/${instance.uuid}`;
  return schedule?.id ? `${basePath}/api/v1/schedules/${encodeURIComponent(schedule.id)}` : null;
}
