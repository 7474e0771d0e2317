import type { MethodName } from "../../rpc/handlers/backend.ts";

/** Methods that create an instance: the response has status 201, and says where it is. */
export const CREATES: ReadonlySet<MethodName> = new Set([
  "scheduleJob",
  "scheduleJobs",
  "retryInstance",
  "runSchedule",
]);

/** What a response may say about that which was created. */
export interface Created {
  readonly instance?: { readonly uuid: string };
  readonly instances?: readonly unknown[];
  readonly schedule?: { readonly id: string };
}

/** Where it is; null if nothing was created. @param basePath path of the server behind a proxy */
export function placeOf({ instance, schedule }: Created, basePath: string): string | null {
  if (instance?.uuid) return `${basePath}/api/v1/instances/${instance.uuid}`;
  return schedule?.id ? `${basePath}/api/v1/schedules/${encodeURIComponent(schedule.id)}` : null;
}
