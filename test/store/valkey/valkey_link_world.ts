import { createHash } from "node:crypto";
import { parseStoreUrl, type ValkeyAddress } from "../../../src/core/settings/store_address.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { type Logger, silentLogger } from "../../../src/platform/logger.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import type { ScriptCall, ValkeyScript } from "../../../src/store/valkey/link/link.ts";
import { ServerLink, type ServerLinkOptions } from "../../../src/store/valkey/link/server_link.ts";

/** A script for the link. */
export function scriptOf(text: string): ValkeyScript {
  return { text, sha1: createHash("sha1").update(text).digest("hex") };
}

/** Counts requests, and answers a repeated one like the first, as the store's scripts do. */
export const COUNT = scriptOf(`
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then return known end
local count = tostring(redis.call('INCR', KEYS[1]))
redis.call('HSET', KEYS[2], ARGV[1], count)
return count`);

/** One request to count. */
export function count(request: string, key = "{t}:n"): ScriptCall {
  return { script: COUNT, keys: [key, `${key}:seen`], args: [request], isWrite: true };
}

/** A link for a test, not yet open. */
export function linkTo(
  url: string,
  options: Partial<Omit<ServerLinkOptions, "address">> & {
    readonly username?: string;
    readonly password?: string;
    readonly sentinelUsername?: string;
    readonly sentinelPassword?: string;
  } = {},
): ServerLink {
  const { username, password, sentinelUsername, sentinelPassword, ...rest } = options;
  const parsed = parseStoreUrl(url) as ValkeyAddress;
  return new ServerLink({
    address: {
      ...parsed,
      username: username ?? parsed.username,
      password: password ?? parsed.password,
      ...sentinelUsername === undefined ? {} : { sentinelUsername },
      ...sentinelPassword === undefined ? {} : { sentinelPassword },
    },
    tls: null,
    key: "{t}",
    waitReplicas: 0,
    startWaitMs: 0,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ...rest,
  });
}

/** A logger that keeps its lines. */
export function keepingLogger(): Logger & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const keep = (message: string, fields?: object) =>
    void lines.push(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}

/** An answer as text. */
export async function textOf(answer: Promise<Uint8Array>): Promise<string> {
  return new TextDecoder().decode(await answer);
}
