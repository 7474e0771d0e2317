import { didYouMean, nearest } from "../core/text/nearest.ts";
import type { Environment } from "./values/expand.ts";
import { SCHEMA } from "./keys.ts";
import { problemAt } from "./values/problems.ts";
import { type Field, NO_PLACES, type Report, type Source } from "./values/source.ts";

const PREFIX = "JOBCTL_";

/** Variables that the CLI reads as a client; they are no settings of the daemon. */
const CLIENT_VARIABLES: readonly string[] = [
  "JOBCTL_HOST",
  "JOBCTL_PORT",
  "JOBCTL_TOKEN",
  "JOBCTL_TOKEN_FILE",
  "JOBCTL_CONFIG",
  "JOBCTL_OUTPUT",
  "JOBCTL_COMPAT",
  "JOBCTL_CONTEXT",
  "JOBCTL_SOCKET",
  "JOBCTL_DAEMON_USER",
  "JOBCTL_TLS_CA",
  "JOBCTL_TLS_CERT",
  "JOBCTL_TLS_KEY",
  "JOBCTL_CALL_TIMEOUT",
  "JOBCTL_PING_URL",
  "JOBCTL_SPOOL",
  "JOBCTL_PUBLIC_KEY",
];

/** Short names of flags, and the keys that they set. */
const FLAG_KEYS: Readonly<Record<string, string>> = {
  port: "server.port",
  host: "server.host",
  http: "server.http",
  socket: "server.socket",
  store: "store.url",
  workers: "worker.count",
  logLevel: "log.level",
  logFormat: "log.format",
};

// Tables and lists of them have no text form, and included files are not included again.
const FILE_ONLY: ReadonlySet<string> = new Set([
  "include",
  "server.auth.tokens",
  "server.auth.clients",
  "store.targets",
  "worker.pools",
]);

/** The variable for the key at `path`, such as `JOBCTL_SERVER_PORT`; null if only files set it. */
export function variableOf(path: string): string | null {
  if (FILE_ONLY.has(path)) return null;
  return PREFIX + path.toUpperCase().replaceAll(".", "_");
}

/** The keys that `JOBCTL_*` variables set; unknown variables are reported. */
export function environmentFields(
  env: Environment,
  baseDir: string,
  report: Report,
): Map<string, Field> {
  const known = new Map<string, string>();
  for (const path of Object.keys(SCHEMA.keys)) {
    const name = variableOf(path);
    if (name !== null) known.set(name, path);
  }
  const fields = new Map<string, Field>();
  for (const name of Object.keys(env).sort()) {
    const value = env[name];
    if (!name.startsWith(PREFIX) || value === undefined || CLIENT_VARIABLES.includes(name)) {
      continue;
    }
    const path = known.get(name);
    if (path === undefined) {
      const hint = hintAboutService(name) ??
        didYouMean(name, [...known.keys(), ...CLIENT_VARIABLES]) ??
        'Known ones are in "jobctl docs configuration"';
      report.problems.push(problemAt(null, name, "unknown variable", hint));
      continue;
    }
    addField(fields, { path, label: name, value, baseDir, env, isText: true });
  }
  return fields;
}

/** Kubernetes gives each container the addresses of the Services in its namespace. */
function hintAboutService(name: string): string | undefined {
  if (!/^JOBCTL_(?:\w+_)?(?:SERVICE_(?:HOST|PORT)|PORT_\d+_(?:TCP|UDP|SCTP))/.test(name)) return;
  return "Kubernetes sets it for a Service: set enableServiceLinks: false in the pod's spec";
}

/** The keys that flags set, by short name or dotted path; undefined ones are omitted. */
export function flagFields(
  flags: Readonly<Record<string, unknown>>,
  options: { readonly baseDir: string; readonly env: Environment },
  report: Report,
): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const path = Object.hasOwn(FLAG_KEYS, name) ? FLAG_KEYS[name]! : name;
    const label = flagOf(name);
    if (!Object.hasOwn(SCHEMA.keys, path) || path === "include") {
      const names = [...Object.keys(FLAG_KEYS), ...Object.keys(SCHEMA.keys)];
      const near = nearest(name, names);
      const hint = near === null ? undefined : `Did you mean "${flagOf(near)}"?`;
      report.problems.push(problemAt(null, label, "no such setting", hint));
      continue;
    }
    addField(fields, { path, label, value, ...options, isText: true });
  }
  return fields;
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function addField(
  fields: Map<string, Field>,
  setting: Omit<Source, keyof typeof NO_PLACES> & {
    readonly path: string;
    readonly value: unknown;
  },
): void {
  const { path, value, ...source } = setting;
  fields.set(path, { value, path: path.split("."), source: { ...source, ...NO_PLACES } });
}
