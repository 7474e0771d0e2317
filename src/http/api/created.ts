import type { MethodName } from "../../rpc/backend.ts";

/** Methods that create an instance: the response has status 201 and its location. */
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

/** Location of the created item; null if nothing, or several instances, were created. */
export function placeOf({ instance, schedule }: Created, basePath: string): string | null {
  if (instance?.uuid) return `${basePath}/api/v1/instances/${instance.uuid}`;
  return schedule?.id ? `${basePath}/api/v1/schedules/${encodeURIComponent(schedule.id)}` : null;
}
