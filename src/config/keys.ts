import { GRPC_PORT_DEFAULT } from "../core/address.ts";
import { LOG_LEVELS } from "../core/instance.ts";
import { TAGS_MAX } from "../core/job/tags.ts";
import { defaultKeys } from "./option_keys.ts";
import {
  boolean,
  choice,
  duration,
  integer,
  list,
  optional,
  path,
  size,
  string,
  timezone,
} from "./readers.ts";
import { key, schemaOf } from "./schema.ts";
import * as auth from "./auth_readers.ts";
import * as special from "./special_readers.ts";
import { STORE_KEYS } from "./store_keys.ts";

/** Every key outside of job tables and `[defaults]`. */
export const KEYS = {
  timezone: key(timezone(), "UTC", "Time zone of schedules that name none."),
  modules: key(list(path()), [], "Directories of `*.ts` and `*.js` job modules."),
  include: key(
    list(string()),
    [],
    "More files: pattern by pattern, then by name; `*` and `?` stand for parts of a name. Later files override earlier ones, key by key.",
  ),
  "log.level": key(
    choice(LOG_LEVELS),
    "info",
    "Least level of the daemon's own log.",
  ),
  "log.format": key(choice(["text", "json"]), "text", "Form of the daemon's own log."),
  "node.id": key(
    optional(special.nodeName()),
    undefined,
    "Name of this daemon, unique among the daemons on one store; by default the host's name.",
  ),
  "node.tags": key(
    list(special.nodeName(), { maxLength: TAGS_MAX }),
    [],
    "What this node has that some jobs need: see `needs` of a job.",
  ),
  ...STORE_KEYS,
  "server.host": key(
    string(),
    "127.0.0.1",
    "Address of the gRPC listener. One that other hosts reach needs TLS and authentication.",
  ),
  "server.port": key(
    integer(0, 65_535),
    GRPC_PORT_DEFAULT,
    "Port of the gRPC listener; 0 picks a free one.",
  ),
  "server.http": key(
    special.httpAddress(),
    "127.0.0.1:59052",
    'Listener of `/healthz`, `/readyz` and `/metrics`; "" turns it off.',
  ),
  "server.http_hosts": key(
    list(string(), { maxLength: 100 }),
    [],
    "Host names that HTTP clients may use for this daemon, in addition to addresses, `localhost` and the machine's own name (with a domain only if other machines can reach the listener). Requests for any other name are refused, so that a web page cannot read the daemon's responses through a visitor's browser.",
  ),
  "server.socket": key(
    special.socketPath(),
    "auto",
    'Unix socket used by the local CLI. Root and the daemon\'s user are admins on it. "auto" means `jobctl-PORT.sock` in the runtime directory; "" turns it off.',
  ),
  "server.socket_group": key(
    optional(string()),
    undefined,
    "Group whose members may open the socket, with the role in `server.socket_role`.",
  ),
  "server.socket_role": key(
    choice(["viewer", "operator", "admin"]),
    "operator",
    'Role of the members of `server.socket_group`. An admin can copy or move the daemon\'s whole store, so use "admin" only for a group of administrators.',
  ),
  "server.allow_insecure": key(
    boolean(),
    false,
    "Allow listeners that other hosts reach without TLS or authentication.",
  ),
  "server.tls.cert": key(optional(path()), undefined, "File of the certificate chain (PEM)."),
  "server.tls.key": key(optional(path()), undefined, "File of the private key (PEM)."),
  "server.tls.client_ca": key(
    optional(path()),
    undefined,
    "File of the authority that client certificates must come from (PEM).",
  ),
  "server.tls.revoked": key(
    optional(path()),
    undefined,
    "File that lists revoked client certificates, one per line, by serial number or SHA-256 fingerprint. Reloaded when it changes.",
  ),
  "server.auth.mode": key(
    choice(["token", "mtls", "none"]),
    "token",
    "How callers over TCP show who they are.",
  ),
  "server.auth.tokens": key(
    auth.tokens(),
    [],
    "Tokens in addition to those in the token files, each with a name and a role (viewer, operator or admin); `expires` and `jobs` are optional. Prefer `hash` or `token = { file = … }` to the token itself. Reloaded on SIGHUP.",
  ),
  "server.auth.tokens_file": key(
    path(),
    "data/tokens.json",
    "File of the token hashes that `jobctl token` manages. Reloaded when it changes.",
  ),
  "server.auth.clients": key(
    auth.clients(),
    [],
    'With mode "mtls": roles of client certificates, by common name (`cn`) or alternative name (`san`). The first rule that matches applies; `*` matches any characters. Without rules, every certificate of the authority is an admin. Reloaded on SIGHUP.',
  ),
  "server.auth.token_file": key(
    optional(path()),
    undefined,
    "File of a permanent admin token, created at the first start. If not set, each start writes a new token to `jobctl-PORT.token` in the runtime directory. Other users must not be able to write to the file or its folder, and the file must not be readable by everyone.",
  ),
  "worker.count": key(
    integer(0, 10_000),
    4,
    "Attempts that run at once on this node, not counting jobs with `worker_slot = false`.",
  ),
  "worker.isolation": key(
    choice(["process", "inline"]),
    "process",
    'Where job functions run: "process" in worker processes, "inline" in the daemon.',
  ),
  "worker.lease": key(
    duration({ minMs: 1000 }),
    "15s",
    "How long a claim lasts unless it is renewed.",
  ),
  "worker.drain": key(
    duration(),
    "30s",
    "At a stop: how long running attempts have to finish before they are stopped. A job's `drain` overrides it.",
  ),
  "worker.idle": key(duration(), "60s", "How long a worker process without work is kept."),
  "worker.pools": key(
    special.pools(),
    {},
    'How many attempts of the jobs in a pool run at once on this node, such as `{ heavy = 2 }`. A job is in that pool if it has `pool = "heavy"`.',
  ),
  "worker.spare": key(
    integer(0, 100),
    0,
    "How many idle worker processes are kept ready for modules, so that an attempt need not wait for one to start.",
  ),
  "worker.recycle_after": key(
    integer(1, 1_000_000_000),
    10_000,
    "Attempts after which a worker process is replaced.",
  ),
  "worker.recycle_memory": key(
    size({ minBytes: 1_048_576 }),
    "512MB",
    "If a worker process uses more memory than this at the end of an attempt, it is replaced.",
  ),
};

/** The schema outside of job tables. */
export const SCHEMA = schemaOf(
  { ...KEYS, ...defaultKeys() },
  { "defaults.retry": "defaults.retry.max" },
  ["jobs"],
);
