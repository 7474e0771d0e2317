import { GRPC_PORT_DEFAULT } from "../core/address.ts";
import { LOG_LEVELS } from "../core/instance.ts";
import { WORKERS_MAX } from "../core/job/limits.ts";
import { TAGS_MAX } from "../core/job/tags.ts";
import { defaultKeys } from "./option_keys.ts";
import {
  BOOLEAN,
  choice,
  duration,
  integer,
  list,
  optional,
  PATH,
  size,
  string,
  TIMEZONE,
} from "./values/readers.ts";
import { key, schemaOf } from "./values/schema.ts";
import { CLIENTS, TOKENS } from "./auth_readers.ts";
import * as special from "./values/special_readers.ts";
import { STORE_KEYS } from "./store_keys.ts";

/** Every key outside of job tables and `[defaults]`. */
export const KEYS = {
  timezone: key(TIMEZONE, "Time zone of schedules that name none.", "UTC"),
  modules: key(list(PATH), "Directories of `*.ts` and `*.js` job modules.", []),
  include: key(
    list(string()),
    "More files: pattern by pattern, then by name; `*` and `?` stand for parts of a name. Later files override earlier ones, key by key.",
    [],
  ),
  "log.level": key(choice(LOG_LEVELS), "Lowest level that the daemon logs.", "info"),
  "log.format": key(choice(["text", "json"]), "Format of the daemon's log.", "text"),
  "node.id": key(
    optional(special.NODE_NAME),
    "Name of this daemon, unique among the daemons on one store; by default the host's name.",
  ),
  "node.tags": key(
    list(special.NODE_NAME, { maxLength: TAGS_MAX }),
    "What this node has that some jobs need: see `needs` of a job.",
    [],
  ),
  ...STORE_KEYS,
  "server.host": key(
    string(),
    "Address of the gRPC listener. One that other hosts reach needs TLS and authentication.",
    "127.0.0.1",
  ),
  "server.port": key(
    special.SERVER_PORT,
    'Port of the gRPC listener; 0 picks a free one, "" turns it off. Then clients of this machine use the Unix socket, and others the HTTP API.',
    GRPC_PORT_DEFAULT,
  ),
  "server.http": key(
    special.HTTP_ADDRESS,
    'Listener of the dashboard, the HTTP API, `/healthz`, `/readyz`, `/metrics` and the pings of external jobs; "" turns it off. At an address that other hosts reach, it is served over TLS, and needs `server.tls` and `server.auth`.',
    "127.0.0.1:59052",
  ),
  "server.http_hosts": key(
    list(string(), { maxLength: 100 }),
    "Host names that HTTP clients may use for this daemon, in addition to addresses, `localhost` and the machine's own name (with a domain only if other machines can reach the listener). Requests for any other name are refused, so that a web page cannot read the daemon's responses through a visitor's browser.",
    [],
  ),
  "server.base_path": key(
    optional(special.BASE_PATH),
    "Path under which browsers see the site of `server.http`, if it is behind a proxy: `/jobs` for `https://ops.example.org/jobs/`. Requests may come with it or without it. By default the path of `server.public_url`.",
  ),
  "server.public_url": key(
    optional(special.SITE_URL),
    "URL under which browsers see the site of `server.http`, if it is behind a proxy. `jobctl open` prints it, its host need not be in `server.http_hosts`, and with https cookies are only sent over TLS.",
  ),
  "server.trusted_proxies": key(
    list(special.NETWORK, { maxLength: 100 }),
    "Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` headers are believed. From all others they are ignored.",
    [],
  ),
  "server.http_origins": key(
    list(string(), { maxLength: 100 }),
    "Origins of other sites whose pages may use the API with a token, such as `https://ops.example`. Browsers keep the pages of all others from it.",
    [],
  ),
  "server.metrics_kinds": key(
    integer(1, 10_000),
    "How many jobs have series of their own in `/metrics`. The others are added up under the label `_other`, so that the number of series stays bounded.",
    200,
  ),
  "server.socket": key(
    special.SOCKET_PATH,
    'Unix socket used by the local CLI. Root and the daemon\'s user are admins on it. "auto" means `jobctl-PORT.sock` in the runtime directory, with 59051 if `server.port` is "": a second such daemon of a user needs a path here; "" turns it off. Windows has none.',
    "auto",
  ),
  "server.socket_group": key(
    optional(string()),
    "Group whose members may open the socket, with the role in `server.socket_role`.",
  ),
  "server.socket_role": key(
    choice(["viewer", "operator", "admin"]),
    'Role of the members of `server.socket_group`. An admin can copy or move the daemon\'s whole store, so use "admin" only for a group of administrators.',
    "operator",
  ),
  "server.allow_insecure": key(
    BOOLEAN,
    "Allow listeners that other hosts reach without TLS or authentication.",
    false,
  ),
  "server.tls.cert": key(optional(PATH), "File of the certificate chain (PEM)."),
  "server.tls.key": key(optional(PATH), "File of the private key (PEM)."),
  "server.tls.client_ca": key(
    optional(PATH),
    "File of the authority that client certificates must come from (PEM).",
  ),
  "server.tls.revoked": key(
    optional(PATH),
    "File that lists revoked client certificates, one per line, by serial number or SHA-256 fingerprint. Reloaded when it changes.",
  ),
  "server.auth.mode": key(
    choice(["token", "mtls", "none"]),
    "How callers over TCP show who they are.",
    "token",
  ),
  "server.auth.tokens": key(
    TOKENS,
    "Tokens in addition to those in the token files, each with a name and a role (viewer, operator or admin); `expires` and `jobs` are optional. Prefer `hash` or `token = { file = … }` to the token itself. Reloaded on SIGHUP.",
    [],
  ),
  "server.auth.tokens_file": key(
    PATH,
    "File of the token hashes that `jobctl token` manages. Reloaded when it changes.",
    "data/tokens.json",
  ),
  "server.auth.clients": key(
    CLIENTS,
    'With mode "mtls": roles of client certificates, by common name (`cn`) or alternative name (`san`). The first rule that matches applies; `*` matches any characters. Without rules, every certificate of the authority is an admin. Reloaded on SIGHUP.',
    [],
  ),
  "server.auth.token_file": key(
    optional(PATH),
    "File of a permanent admin token, created at the first start. If not set, each start writes a new token to `jobctl-PORT.token` in the runtime directory. Other users must not be able to write to the file or its folder, and the file must not be readable by everyone.",
  ),
  "heartbeat.url": key(
    optional(special.HEARTBEAT_URL),
    "URL that is called with GET while the daemon is healthy, so that another host notices when the calls stop. It may be a secret. Reloaded on SIGHUP.",
  ),
  "heartbeat.every": key(
    duration({ minMs: 1_000 }),
    "How often `heartbeat.url` is called. Reloaded on SIGHUP.",
    "1m",
  ),
  "heartbeat.allow_private": key(
    BOOLEAN,
    "Allow a host in a private network, and `http://`, in `heartbeat.url`. Reloaded on SIGHUP.",
    false,
  ),
  "worker.count": key(
    integer(0, WORKERS_MAX),
    "Attempts that run at once on this node, not counting jobs with `worker_slot = false`. With 0, these do not start either.",
    4,
  ),
  "worker.isolation": key(
    choice(["process", "inline"]),
    'Where job functions run: "process" in worker processes, "inline" in the daemon.',
    "process",
  ),
  "worker.lease": key(
    duration({ minMs: 1000 }),
    "How long a claim lasts unless it is renewed.",
    "15s",
  ),
  "worker.drain": key(
    duration(),
    "At a stop: how long running attempts have to finish before they are stopped. A job's `drain` overrides it.",
    "30s",
  ),
  "worker.on_stop": key(
    optional(choice(["keep", "drain"])),
    'What SIGTERM does to running commands: "keep" lets them run on until the next daemon adopts them, "drain" gives them `worker.drain` to finish. By default they are kept if systemd restarts the unit, and drained at any other stop. `jobctl stop` and `systemctl stop` always drain.',
  ),
  "worker.idle": key(duration(), "How long a worker process without work is kept.", "60s"),
  "worker.pools": key(
    special.POOLS,
    'How many attempts of the jobs in a pool run at once on this node, such as `{ heavy = 2 }`. A job is in that pool if it has `pool = "heavy"`.',
    {},
  ),
  "worker.spare": key(
    integer(0, 100),
    "How many idle worker processes are kept ready for modules, so that an attempt need not wait for one to start.",
    0,
  ),
  "worker.recycle_after": key(
    integer(1, 1_000_000_000),
    "Attempts after which a worker process is replaced.",
    10_000,
  ),
  "worker.recycle_memory": key(
    size({ minBytes: 1_048_576 }),
    "If a worker process uses more memory than this at the end of an attempt, it is replaced.",
    "512MB",
  ),
};

const LISTENERS = 'Write host and port for gRPC, and http = "127.0.0.1:59052" for HTTP';
const STORE_URL = 'Write: url = "sqlite:data/jobctl.db"';
const CHANNEL = 'Mail is a channel: [notices.NAME] with to = "mail"';

/** The schema outside of job tables. */
export const SCHEMA = schemaOf(
  { ...KEYS, ...defaultKeys() },
  {
    shorthands: { "defaults.retry": "defaults.retry.max" },
    tables: ["jobs", "notices"],
    meant: {
      "server.http_port": 'Write in [server]: http = "127.0.0.1:59052"',
      "server.listen": LISTENERS,
      "server.address": LISTENERS,
      "server.bind": LISTENERS,
      "store.path": STORE_URL,
      "store.file": STORE_URL,
      "store.type": STORE_URL,
      "log.file": "The log goes to stderr: redirect it, or install a service",
      workers: "worker.count",
      "worker.workers": "worker.count",
      "worker.size": "worker.count",
      "worker.concurrency": "worker.count",
      "node.name": "node.id",
      "heartbeat.interval": "heartbeat.every",
      "defaults.notices": "defaults.notify",
      channels: "notices",
      mail: CHANNEL,
      smtp: CHANNEL,
      mailto: CHANNEL,
      "defaults.mailto": CHANNEL,
    },
  },
);
