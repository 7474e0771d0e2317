import type { BackupSettings } from "../core/settings/backup_settings.ts";
import { isForStore, type StoreConfig } from "../core/settings/store_config.ts";
import { choice, duration, integer, optional, PATH, string } from "./values/readers.ts";
import { key, type Values } from "./values/schema.ts";
import { SECRET } from "./values/secrets.ts";
import type { Field, Report } from "./values/source.ts";
import { SCHEDULE_TEXT } from "./values/special_readers.ts";
import { PREFIX, STORE_URL, TARGETS } from "./store_readers.ts";

/** The keys of the table `store`. */
export const STORE_KEYS = {
  "store.url": key(
    STORE_URL,
    "Where instances and schedules are kept. `memory:` loses them when the daemon ends.",
    "sqlite:data/jobctl.db",
  ),
  "store.username": key(
    optional(string()),
    "User at the servers of Valkey or etcd, in place of one in the URL.",
  ),
  "store.password": key(
    optional(SECRET),
    "Password at the servers of Valkey or etcd, in place of one in the URL. Prefer `{ file = … }` to the password itself.",
  ),
  "store.sentinel_username": key(
    optional(string()),
    "User at the sentinels of a `valkey-sentinel://` URL, if they have users of their own.",
  ),
  "store.sentinel_password": key(
    optional(SECRET),
    "Password at the sentinels, if they require one. Prefer `{ file = … }` to the password itself.",
  ),
  "store.prefix": key(
    PREFIX,
    "Namespace on a server that others use too: no key outside of it is read or written.",
    "jobctl",
  ),
  "store.tls.ca": key(
    optional(PATH),
    "File of the authority that issued the servers' certificates (PEM); by default, the authorities that the system trusts. Any key of `store.tls` turns TLS on.",
  ),
  "store.tls.cert": key(
    optional(PATH),
    "File of the certificate that is shown to the servers (PEM).",
  ),
  "store.tls.key": key(optional(PATH), "File of its private key (PEM)."),
  "store.tls.server_name": key(
    optional(string()),
    "Name that the servers' certificates must have; by default the host of the URL.",
  ),
  "store.wait_replicas": key(
    integer(0, 100),
    "Valkey: replicas that must have a write before it is acknowledged.",
    0,
  ),
  "store.start_wait": key(
    duration(),
    "Valkey and etcd: how long the start waits for an unreachable server before it fails; with 0 it fails at once.",
    "0",
  ),
  "store.max_skew": key(
    duration({ minMs: 100 }),
    "etcd and store modules: a node whose clock differs by more than this from those of its peers claims nothing and says so.",
    "1s",
  ),
  "store.fsync": key(
    choice(["full", "normal"]),
    'SQLite: "full" acknowledges a commit once it is on the disk; "normal" is faster, but a power loss takes the last acknowledged commits.',
    "full",
  ),
  "store.targets": key(
    TARGETS,
    'Stores, by name, to which `jobctl store migrate --to NAME` may move a running daemon\'s store: `{ shared = "valkey://host:6379" }`. Callers cannot choose any other. Reloaded with the configuration.',
    {},
  ),
  "store.backup.schedule": key(
    optional(SCHEDULE_TEXT),
    "When the job `system.store.backup` saves the store to a new file, by a cron expression in `timezone`. Reloaded with the configuration.",
  ),
  "store.backup.path": key(
    optional(PATH),
    "Folder of these files. It must exist, and only root and the daemon's user may be able to write to it. Reloaded with the configuration.",
  ),
  "store.backup.keep": key(
    integer(1, 10_000),
    "How many of these files stay in the folder. The oldest ones are deleted once a new one has been verified. Reloaded with the configuration.",
    7,
  ),
};

type StoreValues = Values<typeof STORE_KEYS>;

/** The store, from the values of all keys. */
export function buildStore(values: StoreValues): StoreConfig {
  const { address, url } = values["store.url"];
  const tls = {
    ca: values["store.tls.ca"],
    cert: values["store.tls.cert"],
    key: values["store.tls.key"],
    serverName: values["store.tls.server_name"],
  };
  const isRemote = address.type === "valkey" || address.type === "etcd";
  const sentinelUsername = values["store.sentinel_username"];
  const sentinelPassword = values["store.sentinel_password"];
  const hasTls = isRemote &&
    (address.isTls || Object.values(tls).some((value) => value !== null));
  return {
    address: !isRemote ? address : {
      ...address,
      isTls: hasTls,
      username: values["store.username"] ?? address.username,
      password: values["store.password"] ?? address.password,
      ...sentinelUsername === null ? {} : { sentinelUsername },
      ...sentinelPassword === null ? {} : { sentinelPassword },
    },
    url,
    prefix: values["store.prefix"],
    tls: hasTls ? tls : null,
    waitReplicas: values["store.wait_replicas"],
    startWaitMs: values["store.start_wait"],
    maxSkewMs: values["store.max_skew"],
    fsync: values["store.fsync"],
    targets: values["store.targets"],
  };
}

/** Backups by schedule, from the values of all keys; null for none. */
export function buildBackup(values: StoreValues): BackupSettings | null {
  const schedule = values["store.backup.schedule"];
  const path = values["store.backup.path"];
  if (schedule === null || path === null) return null;
  return { schedule, path, keep: values["store.backup.keep"] };
}

/** Check what concerns several keys of the store. */
export function checkStore(
  values: StoreValues,
  fields: ReadonlyMap<string, Field>,
  report: Report,
): void {
  const { type } = values["store.url"].address;
  for (const name of Object.keys(STORE_KEYS)) {
    const field = fields.get(name);
    if (field === undefined || isForStore(name.split(".")[1]!, type)) continue;
    report.warn(field, `has no effect with a store of type "${type}"`);
  }
  checkPair("store.tls", fields, report);
  checkBackup(fields, report);
  const { address } = values["store.url"];
  if (address.type !== "valkey" && address.type !== "etcd") return;
  const user = fields.get("store.username");
  const hasPassword = (values["store.password"] ?? address.password) !== null;
  if (user !== undefined && !hasPassword) {
    report.missing(user, ["store", "password"], "store.password is missing");
  }
}

function checkBackup(fields: ReadonlyMap<string, Field>, report: Report): void {
  const schedule = fields.get("store.backup.schedule");
  const path = fields.get("store.backup.path");
  const keep = fields.get("store.backup.keep");
  if (schedule === undefined && path === undefined) {
    if (keep !== undefined) report.warn(keep, "has no effect without store.backup.schedule");
  } else if (path === undefined) {
    const hint = 'Add path = "/var/backups/jobctl"';
    report.missing(schedule!, ["store", "backup", "path"], "store.backup.path is missing", hint);
  } else if (schedule === undefined) {
    const hint = 'Add schedule = "0 3 * * *"';
    report.missing(path, ["store", "backup", "schedule"], "store.backup.schedule is missing", hint);
  }
}

/** Check that the keys `cert` and `key` of a table are both set, or neither. */
export function checkPair(
  table: string,
  fields: ReadonlyMap<string, Field>,
  report: Report,
): void {
  for (const [name, other] of [["cert", "key"], ["key", "cert"]]) {
    const field = fields.get(`${table}.${name}`);
    if (field === undefined || fields.has(`${table}.${other}`)) continue;
    const key = `${table}.${other}`;
    report.missing(field, key.split("."), `${key} is missing`);
  }
}
