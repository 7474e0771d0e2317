import { JobError } from "../../core/errors.ts";
import { existsSync, lstatSync } from "node:fs";
import process from "node:process";
import { GRPC_PORT_DEFAULT, hostPort, isLoopback } from "../../core/address.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { ConnectOptions } from "../../rpc/client/client.ts";
import { Args, usageError } from "../parsing/args.ts";
import { readClientSettings } from "../parsing/connection.ts";
import { CONNECTION_OPTIONS } from "../parsing/options.ts";
import { contextNamed, contextsPath, type ContextValues, readContexts } from "./contexts_file.ts";
import { folderDaemon } from "./folder_daemon.ts";

/** The source of the default daemon. */
export const DEFAULT_SOURCE = "the default";

/** A verb's daemon, and the source that decided it. */
export interface FoundDaemon {
  readonly settings: ConnectOptions;
  /** The deciding source, as in `context "prod"`. */
  readonly source: string;
  /** False if only the working folder, the current context or the default decided. */
  readonly isNamed: boolean;
  /** Sources that could have named one and did not, with the reason. */
  readonly passedOver: readonly string[];
}

/** The environment in which a verb looks for its daemon. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

const ADDRESS = ["host", "port", "socket"] as const;
const CREDENTIALS = ["token", "token-file", "tls", "tls-ca", "tls-cert", "tls-key"] as const;

/** Settings that one source gives as a whole. */
const WHOLE = [...ADDRESS, ...CREDENTIALS];

/**
 * Find the daemon of a command line. The first of these sources that names a daemon decides. A
 * context and the file of a folder are never mixed with variables, so that no token goes to the
 * wrong daemon:
 *
 * 1. `--context`, then an address in options.
 * 2. The variables of an address or of credentials, or `JOBCTL_CONTEXT`.
 * 3. The configuration of the working folder.
 * 4. The current context.
 * 5. The default.
 *
 * Options of credentials replace a context's.
 *
 * @throws JobError `invalid_argument` for conflicting options, `not_found` for an unknown context
 */
export async function findDaemon(args: Args, surroundings: Surroundings): Promise<FoundDaemon> {
  const named = args.given(["context"]).length > 0 ? args.text("context") : undefined;
  if (named !== undefined) return await ofContext(named, "--context", args, surroundings);
  const address = args.given(ADDRESS).map((name) => `--${name}`);
  if (address.length > 0) return direct(args, address.join(" and "));
  const variables = variablesOf(WHOLE, surroundings.env);
  const variable = args.text("context");
  if (variable !== undefined) {
    if (variables.length > 0) throw bothVariables(variables[0]!);
    return await ofContext(variable, "JOBCTL_CONTEXT", args, surroundings);
  }
  if (variables.length > 0) return direct(args, variables.join(" and "));
  const passedOver: string[] = [];
  const folder = await folderDaemon(surroundings.cwd);
  if (folder !== null && "problem" in folder) passedOver.push(`${folder.file}: ${folder.problem}`);
  if (folder !== null && "values" in folder) {
    const { values } = folder;
    // A token of the line would go to the default daemon anyway.
    if (!isDefault(values)) refuseCredentials(args, folder.file);
    else if (args.given(CREDENTIALS).length > 0) {
      return { ...direct(args, DEFAULT_SOURCE), isNamed: false, passedOver };
    }
    const settings = readClientSettings(args.over(values, WHOLE));
    return { settings, source: makeVisible(folder.file), isNamed: false, passedOver };
  }
  return await ofCurrent(args, surroundings, passedOver);
}

async function ofContext(
  name: string,
  what: string,
  args: Args,
  { env }: Surroundings,
): Promise<FoundDaemon> {
  const [address] = args.given(ADDRESS);
  if (address !== undefined) {
    throw usageError(
      `Cannot use ${what} with --${address}: a context has its own address`,
      "Give one of them",
    );
  }
  const path = contextsPath(env);
  const contexts = path === null ? { current: null, byName: new Map() } : await readContexts(path);
  const settings = readClientSettings(withContext(args, contextNamed(contexts, name)));
  return { settings, source: `context "${name}", by ${what}`, isNamed: true, passedOver: [] };
}

async function ofCurrent(
  args: Args,
  { env }: Surroundings,
  passedOver: readonly string[],
): Promise<FoundDaemon> {
  const path = contextsPath(env);
  // With sudo or su, HOME can still be the calling user's.
  const isForeign = path !== null && belongsToOther(path);
  const contexts = path === null || isForeign ? null : await readContexts(path);
  const foreign = isForeign ? [`${path}: it belongs to another user`] : [];
  const rest = { isNamed: false, passedOver: [...passedOver, ...foreign] };
  if (contexts === null || contexts.current === null) {
    return { settings: readClientSettings(args), source: DEFAULT_SOURCE, ...rest };
  }
  const values = contextNamed(contexts, contexts.current);
  const source = `context "${contexts.current}", the current one`;
  return { settings: readClientSettings(withContext(args, values)), source, ...rest };
}

function belongsToOther(path: string): boolean {
  // A home without access looks like one without the file.
  if (!existsSync(path)) return false;
  const own = process.getuid?.();
  const owner = lstatSync(path, { throwIfNoEntry: false })?.uid;
  return own !== undefined && owner !== undefined && owner !== own && owner !== 0;
}

function direct(args: Args, source: string): FoundDaemon {
  return { settings: readClientSettings(args), source, isNamed: true, passedOver: [] };
}

/** The line with the values of a context; its own credentials replace all of the context's. */
function withContext(args: Args, values: ContextValues): Args {
  const hasToken = args.given(["token", "token-file"]).length > 0;
  const kept = Object.entries(values).filter(([name]) => !(hasToken && /^token/.test(name)));
  return args.over(Object.fromEntries(kept), WHOLE);
}

function variablesOf(names: readonly string[], env: Surroundings["env"]): string[] {
  return names.map((name) => CONNECTION_OPTIONS[name]!.env)
    .filter((variable) => variable !== undefined)
    .filter((variable) => (env[variable] ?? "") !== "");
}

function bothVariables(variable: string): JobError {
  return usageError(
    `Cannot use JOBCTL_CONTEXT with ${variable}: a context has its own address and credentials`,
    "Unset one of them, or name the context with --context, which overrides variables",
  );
}

function isDefault({ host, port, ...others }: ContextValues): boolean {
  return isLoopback(String(host)) && port === String(GRPC_PORT_DEFAULT) &&
    Object.keys(others).length === 0;
}

/** A token of the line is meant for a daemon that the line names, not some folder. */
function refuseCredentials(args: Args, file: string): void {
  const [name] = args.given(CREDENTIALS);
  if (name === undefined) return;
  throw usageError(
    `Cannot use --${name} at the address of "${
      makeVisible(file)
    }": a folder decides only where a verb calls without credentials`,
    "Name the daemon: --host localhost, --port PORT or --context NAME",
  );
}

/** The connection of a context alone. @throws JobError `invalid_argument` for conflicting values */
export function settingsOfContext(values: ContextValues): ConnectOptions {
  const input = { words: {}, values, specs: CONNECTION_OPTIONS, env: {}, nowMs: 0, named: [] };
  return readClientSettings(new Args(input));
}

/** Address in settings: `host:port`, or the path of the socket. */
export function addressText({ host = "", port = 0, socket }: ConnectOptions): string {
  return typeof socket === "string" ? socket : hostPort(host, port);
}
