import { succeeds } from "../core/or_else.ts";
import { accessSync, constants, existsSync } from "node:fs";
import { toJobError } from "../core/errors.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { groupId } from "../platform/system/accounts.ts";
import type { Logger } from "../platform/logger.ts";
import { readRevoked } from "../platform/files/revoked_file.ts";
import { loadTls } from "../platform/network/tls.ts";
import { readTokensFile } from "../platform/files/tokens_file.ts";
import type { Config } from "./config.ts";
import { problemAt } from "./values/problems.ts";

/** The result of {@link checkServerFiles}. */
export interface ServerFilesCheck {
  /** Each would refuse a start. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Read the files that `[server]` names, like a start does: TLS files, the list of revoked
 * certificates, and the token file if this user may read it. Also check the group of the socket.
 */
export async function checkServerFiles(
  { server }: Config,
  nowMs: number,
): Promise<ServerFilesCheck> {
  const problems: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];
  const attempt = async (path: string, read: () => unknown) => {
    try {
      await read();
    } catch (error) {
      const { message, hint } = toJobError(error, "Cannot read it");
      problems.push(problemAt(null, path, message, hint));
    }
  };
  const { tls, auth, socketGroup } = server;
  const logger = warningsTo((message, hint) => {
    warnings.push(problemAt(null, "server.tls", message, hint));
  });
  const missing = tls === null ? [] : missingFiles(tls);
  problems.push(...missing);
  if (tls !== null && missing.length === 0) {
    await attempt("server.tls", () => loadTls(tls, { nowMs, logger }));
  }
  const { revokedFile, tokensFile } = auth;
  if (revokedFile !== null) await attempt("server.tls.revoked", () => readRevoked(revokedFile));
  if (isReadable(tokensFile)) {
    await attempt("server.auth.tokens_file", () => readTokensFile(tokensFile));
  }
  if (socketGroup !== null && !/^\d+$/.test(socketGroup) && groupId(socketGroup) === null) {
    warnings.push(problemAt(
      null,
      "server.socket_group",
      `no such group "${socketGroup}": the daemon will have no Unix socket`,
      "Name a group of /etc/group, or its number",
    ));
  }
  return { problems, warnings };
}

function missingFiles(
  { cert, key, clientCa }: NonNullable<Config["server"]["tls"]>,
): ConfigProblem[] {
  const files = { cert, key, client_ca: clientCa };
  return Object.entries(files).flatMap(([name, path]) => {
    if (path === null || existsSync(path)) return [];
    const message = `cannot read "${path}": no such file`;
    const hint = "Name a PEM file that the user of the daemon can read";
    return [problemAt(null, `server.tls.${name}`, message, hint)];
  });
}

function isReadable(path: string): boolean {
  return succeeds(() => accessSync(path, constants.R_OK));
}

function warningsTo(tell: (message: string, hint: string | undefined) => void): Logger {
  const ignore = () => {};
  const warn: Logger["warn"] = (message, fields) => {
    const hint = fields?.["hint"];
    tell(message, typeof hint === "string" ? hint : undefined);
  };
  return { debug: ignore, info: ignore, warn, error: ignore };
}
