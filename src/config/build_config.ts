import { JOB_DEFAULTS, SCHEDULE_DEFAULTS, withValues } from "../core/job/option_table.ts";
import type { Config } from "./config.ts";
import type { KEYS } from "./keys.ts";
import { optionValues } from "./option_keys.ts";
import type { Values } from "./values/schema.ts";
import { buildBackup, buildStore } from "./store_keys.ts";

/** The configuration, without its jobs and channels, from the values of all keys. */
export function buildConfig(file: string | null, values: Values<typeof KEYS>): Config {
  const cert = values["server.tls.cert"];
  const key = values["server.tls.key"];
  return {
    file,
    timezone: values.timezone,
    modules: values.modules,
    log: { level: values["log.level"], format: values["log.format"] },
    node: { id: values["node.id"], tags: values["node.tags"] },
    store: buildStore(values),
    backup: buildBackup(values),
    server: {
      host: values["server.host"],
      port: values["server.port"],
      http: values["server.http"],
      httpHosts: values["server.http_hosts"],
      site: {
        basePath: values["server.base_path"] ?? basePathOf(values["server.public_url"]),
        publicUrl: values["server.public_url"],
        trustedProxies: values["server.trusted_proxies"],
      },
      httpOrigins: values["server.http_origins"],
      metricsKinds: values["server.metrics_kinds"],
      socket: values["server.socket"],
      socketGroup: values["server.socket_group"],
      socketRole: values["server.socket_role"],
      allowInsecure: values["server.allow_insecure"],
      tls: cert === null || key === null
        ? null
        : { cert, key, clientCa: values["server.tls.client_ca"] },
      auth: readAuth(values),
    },
    worker: {
      count: values["worker.count"],
      isolation: values["worker.isolation"],
      leaseMs: values["worker.lease"],
      drainMs: values["worker.drain"],
      onStop: values["worker.on_stop"],
      idleMs: values["worker.idle"],
      pools: values["worker.pools"],
      spare: values["worker.spare"],
      recycleAfter: values["worker.recycle_after"],
      recycleMemoryBytes: values["worker.recycle_memory"],
    },
    heartbeat: values["heartbeat.url"] === null ? null : {
      url: values["heartbeat.url"],
      everyMs: values["heartbeat.every"],
      allowPrivate: values["heartbeat.allow_private"],
    },
    defaults: withValues(
      { ...JOB_DEFAULTS, isolation: values["worker.isolation"] },
      optionValues(values, "option", "defaults."),
    ),
    scheduleDefaults: withValues(
      SCHEDULE_DEFAULTS,
      optionValues(values, "schedule", "defaults."),
    ),
    notices: [],
    jobs: [],
  };
}

function basePathOf(publicUrl: string | null): string {
  const { pathname } = new URL(publicUrl ?? "http://localhost");
  return pathname.endsWith("/") ? pathname : `${pathname}/`;
}

function readAuth(values: Values<typeof KEYS>): Config["server"]["auth"] {
  return {
    mode: values["server.auth.mode"],
    tokens: values["server.auth.tokens"],
    tokenFile: values["server.auth.token_file"],
    tokensFile: values["server.auth.tokens_file"],
    clients: values["server.auth.clients"],
    revokedFile: values["server.tls.revoked"],
  };
}
