import type { Server } from "node:net";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";

/** Why `address` cannot be listened on; `key` of the configuration names it. */
export function listenError(error: unknown, address: string, key: string): JobError {
  const action = `Cannot listen on ${address}`;
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new JobError("conflict", `${action}: the address is in use`, {
        hint: `Is another daemon running there? Stop it, or choose another ${key}`,
        cause: error,
      });
    case "EACCES":
    case "EPERM":
      return new JobError("permission_denied", `${action}: permission denied`, {
        hint: `Ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another ${key}`,
        cause: error,
      });
    case "EADDRNOTAVAIL":
      return new JobError("invalid_config", `${action}: no such address on this machine`, {
        hint: `Name an address of this machine as ${key}`,
        cause: error,
      });
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new JobError("invalid_config", `${action}: the host name is not known`, {
        hint: `Name an address of this machine as ${key}`,
        cause: error,
      });
    default:
      return new JobError("invalid_config", `${action}: ${messageOf(error)}`, {
        hint: `Check ${key}`,
        cause: error,
      });
  }
}

/**
 * Call `start` and wait until the server listens. Later errors of the listener, such as too many
 * open files, are not fatal.
 */
export function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      server.on("error", () => {});
      resolve();
    });
    start();
  });
}
