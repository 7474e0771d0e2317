import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { bareHost } from "../core/address.ts";
import { JobError } from "../core/errors.ts";
import type { HeartbeatSettings } from "../core/notices/heartbeat.ts";
import { VERSION } from "../platform/version.ts";

const PRIVATE = new BlockList();
for (
  const [network, prefix, family] of [
    ["0.0.0.0", 8, "ipv4"],
    ["10.0.0.0", 8, "ipv4"],
    ["100.64.0.0", 10, "ipv4"],
    ["127.0.0.0", 8, "ipv4"],
    ["169.254.0.0", 16, "ipv4"],
    ["172.16.0.0", 12, "ipv4"],
    ["192.168.0.0", 16, "ipv4"],
    ["::", 127, "ipv6"],
    ["fc00::", 7, "ipv6"],
    ["fe80::", 10, "ipv6"],
  ] as const
) {
  PRIVATE.addSubnet(network, prefix, family);
}

/**
 * Call the heartbeat's URL with GET. Redirects are not followed.
 *
 * @throws JobError `unavailable` unless it is answered with 200 to 299
 */
export async function ping(
  { url, allowPrivate }: HeartbeatSettings,
  signal: AbortSignal,
): Promise<void> {
  const target = new URL(url);
  if (!allowPrivate) await assertPublic(bareHost(target.hostname));
  const headers = { "user-agent": `jobctl/${VERSION}` };
  const response = await fetch(target, { redirect: "manual", signal, headers });
  await response.body?.cancel();
  if (response.ok) return;
  throw new JobError("unavailable", `${target.host} answered with status ${response.status}`);
}

async function assertPublic(host: string): Promise<void> {
  const found = isIP(host) === 0
    ? await lookup(host, { all: true })
    : [{ address: host, family: isIP(host) }];
  const isPrivate = found.some(({ address, family }) =>
    PRIVATE.check(address, family === 6 ? "ipv6" : "ipv4")
  );
  if (!isPrivate) return;
  throw new JobError("unavailable", `${host} is in a private network`, {
    hint: "To allow it, set heartbeat.allow_private = true",
  });
}
