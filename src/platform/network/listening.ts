import { once } from "node:events";
import type { ListenOptions, Server } from "node:net";
import { bareHost, hostPort } from "../../core/address.ts";
import { type ErrorCode, errorCode, JobError, messageOf } from "../../core/errors.ts";
import { accountName } from "../system/accounts.ts";
import { listeningPorts } from "./listening_ports.ts";

/** Most connections waiting to be accepted. */
const BACKLOG = 511;

/**
 * Why `address` cannot be listened on; `key` of the configuration names it.
 *
 * @param user owner of the port, if known
 */
export function listenError(
  error: unknown,
  { address, key, user }: {
    readonly address: string;
    readonly key: string;
    readonly user?: number | undefined;
  },
): JobError {
  const refuse = (code: ErrorCode, problem: string, hint: string) =>
    new JobError(code, `Cannot listen on ${address}: ${problem}`, { hint, cause: error });
  const useAnother = `Name an address of this machine as ${key}`;
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return refuse(
        "conflict",
        `the address is in use${user === undefined ? "" : ` by ${accountName(user)}`}`,
        `Is another daemon running there? Stop it, or choose another ${key}. To find it: sudo ss -tanp`,
      );
    case "EACCES":
    case "EPERM":
      return refuse(
        "permission_denied",
        "permission denied",
        `Ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another ${key}`,
      );
    case "EADDRNOTAVAIL":
      return refuse("invalid_config", "no such address on this machine", useAnother);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return refuse("invalid_config", "the host name is not known", useAnother);
    default:
      return refuse("invalid_config", messageOf(error), `Check ${key}`);
  }
}

/** Listen on TCP. @throws JobError naming the address, and the key of the configuration */
export async function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  key: string,
): Promise<void> {
  try {
    await listening(server, { host: bareHost(host), port });
  } catch (error) {
    const isTaken = errorCode(error) === "EADDRINUSE";
    const user = isTaken ? (await listeningPorts())?.get(port) : undefined;
    throw listenError(error, { address: hostPort(host, port), key, user });
  }
}

/** Wait until the server listens. Its later errors, such as too many open files, are not fatal. */
export async function listening(
  server: Server,
  options: ListenOptions | { readonly fd: number },
): Promise<void> {
  const isListening = once(server, "listening");
  server.listen({ ...options, backlog: BACKLOG });
  await isListening;
  server.on("error", () => {});
}

/** A value that exists once a listener has started. @throws JobError `unavailable` before */
export function afterStart<T>(value: T | null, name: string, owner: string): T {
  if (value !== null) return value;
  throw new JobError("unavailable", `Cannot return the ${name} of ${owner}: it has not started`);
}
