import { JobError } from "../core/errors.ts";
import type { HeartbeatSettings } from "../core/notices/heartbeat.ts";
import type { Clock } from "../platform/clock.ts";
import { VERSION } from "../platform/version.ts";
import { httpCall } from "./channels/webhook/http_call.ts";

/**
 * Call the heartbeat's URL with GET. Redirects are not followed.
 *
 * @throws JobError `unavailable` for a status other than 200 to 299; DeliveryError without an
 * answer, or for a forbidden host in a private network
 */
export async function ping(
  { url, allowPrivate }: HeartbeatSettings,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const target = new URL(url);
  const headers = { "User-Agent": `jobctl/${VERSION}` };
  const { status } = await httpCall(
    { method: "GET", url: target, headers, body: "" },
    { clock, signal, ca: null, allowPrivate },
  );
  if (status >= 200 && status < 300) return;
  throw new JobError("unavailable", `${target.host} responded with status ${status}`);
}
