import { GRPC_PORT_DEFAULT } from "../../core/address.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { parseDuration } from "../../core/time/duration.ts";
import type { ConnectOptions } from "../../rpc/client/client.ts";
import { type Args, assertOneOf, usageError } from "./args.ts";
import { CALL_TIMEOUT_DEFAULT, HOST_DEFAULT } from "./options.ts";

/** Value of --socket for TCP. */
const NO_SOCKET = "none";
const PORT_MAX = 65_535;
/** Characters that no name or address of a host contains. */
const NEVER_IN_HOST = /[\s\p{C}/]/u;

/** Longest wait for one response, in milliseconds. @throws JobError `invalid_argument` */
export function callTimeoutMs(args: Args): number {
  const timeoutMs = args.durationMs("call-timeout") ?? parseDuration(CALL_TIMEOUT_DEFAULT);
  if (timeoutMs > 0) return timeoutMs;
  throw usageError(
    `Cannot use --call-timeout "${args.text("call-timeout")}": wanted more than zero`,
    'Give --call-timeout a duration such as "10s"',
  );
}

function readHost(args: Args): string {
  const host = args.text("host") ?? HOST_DEFAULT;
  if (!NEVER_IN_HOST.test(host)) return host;
  throw usageError(
    `Cannot use --host "${makeVisible(host)}": not a name or an address of a host`,
    "Write it alone, such as web1 or 192.0.2.7, and the port with --port",
  );
}

// Options override the environment, even variables of other options.
function readSocket(args: Args): string | null | undefined {
  const socket = args.text("socket");
  if (socket === NO_SOCKET) return null;
  assertOneOf(args, ["socket", "host"]);
  assertOneOf(args, ["socket", "port"]);
  const [token] = args.given(["token", "token-file"]);
  if (args.given(["socket"]).length > 0) {
    if (token === undefined) return socket;
    throw usageError(
      `Cannot use --${token} with --socket: a socket takes no token`,
      `Over a socket you call as your own user: give --${token} without --socket, or --socket alone`,
    );
  }
  return token === undefined && args.given(["host", "port"]).length === 0 ? socket : undefined;
}

function readToken(args: Args): Pick<ConnectOptions, "token" | "tokenFile"> {
  assertOneOf(args, ["token", "token-file"]);
  if (args.given(["token-file"]).length > 0) return { tokenFile: args.text("token-file") };
  const token = args.text("token");
  return token === undefined ? { tokenFile: args.text("token-file") } : { token };
}

function readTls(args: Args): ConnectOptions["tls"] {
  const ca = args.text("tls-ca");
  const cert = args.text("tls-cert");
  const key = args.text("tls-key");
  if ((cert === undefined) !== (key === undefined)) {
    const [has, lacks] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
    throw usageError(
      `Cannot use --tls-${has} without --tls-${lacks}`,
      `Add --tls-${lacks} FILE: a certificate and its key belong together`,
    );
  }
  const isOn = args.flag("tls") || [ca, cert].some((path) => path !== undefined);
  return isOn ? { ca, cert, key } : null;
}

/**
 * Read the address of the daemon and the caller's credentials from options and environment.
 *
 * @throws JobError `invalid_argument`
 */
export function readClientSettings(args: Args): ConnectOptions {
  return {
    host: readHost(args),
    port: args.integer("port", { min: 1, max: PORT_MAX }) ?? GRPC_PORT_DEFAULT,
    socket: readSocket(args),
    ...readToken(args),
    daemonUser: args.text("daemon-user"),
    tls: readTls(args),
    timeoutMs: callTimeoutMs(args),
  };
}
