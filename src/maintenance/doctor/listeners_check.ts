import { X509Certificate } from "node:crypto";
import { hostPort, isLoopback } from "../../core/address.ts";
import { errorCode, messageOf } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { roughDuration } from "../../core/time/duration.ts";
import type { Config } from "../../config/config.ts";
import { CHANNEL_TYPES } from "../../config/notices/notice_keys.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { listeningPorts } from "../../platform/network/listening_ports.ts";
import { accountName } from "../../platform/system/accounts.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** Addresses that the daemon listens on, or would. */
export type ListenersFacts = Awaited<ReturnType<typeof readListeners>>;

/** A certificate of the configuration. */
export interface CertificateFacts {
  readonly path: string;
  /** Null if it cannot be read. */
  readonly until: number | null;
  readonly problem: string | null;
  readonly isForbidden: boolean;
}

const SOON_MS = 14 * 86_400_000;
const LATER_MS = 30 * 86_400_000;
const PEM_BYTES_MAX = 4 * 2 ** 20;

/** Read the listeners and the certificates of a configuration. */
export async function readListeners(
  { server, store, notices }: Config,
  { isRunning, nowMs, restart }: {
    readonly isRunning: boolean | null;
    readonly nowMs: number;
    readonly restart: string;
  },
) {
  const { host, port, tls, http, auth, allowInsecure } = server;
  // As in `policyOf`: beyond loopback, HTTP has TLS and authentication unless it may be insecure.
  const hasHttpTls = tls !== null && auth.mode !== "none" && !allowInsecure;
  const paths = [
    tls?.cert,
    tls?.clientCa,
    store.tls?.ca,
    store.tls?.cert,
    ...notices.map(({ target }) => CHANNEL_TYPES[target.to]!.uses(target).server?.caFile),
  ].filter((path) => typeof path === "string");
  return {
    listeners: [
      ...port === null ? [] : [{ name: "gRPC" as const, host, port, isTls: tls !== null }],
      ...http === null ? [] : [{ name: "HTTP" as const, ...http, isTls: hasHttpTls }],
    ],
    /** Ports that anybody listens on, with the user; null if the system does not list them. */
    ports: await listeningPorts(),
    /** True if callers over TCP show who they are: otherwise only this machine has the API. */
    hasLogin: auth.mode !== "none",
    certificates: [...new Set(paths)].map(readCertificate),
    /** True if a daemon answers; null if that is not known. */
    isRunning,
    nowMs,
    restart,
  };
}

/** Judge the listeners and the certificates. */
export function checkListeners(facts: ListenersFacts): Finding[] {
  const { listeners, ports, isRunning, hasLogin, certificates, nowMs, restart } = facts;
  const { ok, note, warning } = findingsOf("listeners");
  const findings: Finding[] = [];
  for (const { name, host, port, isTls } of listeners) {
    const at = hostPort(host, port);
    const user = isRunning === false && port !== 0 ? ports?.get(port) : undefined;
    if (user !== undefined) {
      const text = `${name}: a process of ${accountName(user)} listens on port ${port}`;
      findings.push(warning(text, `sudo ss -tanp "sport = :${port}"`));
    }
    if (isLoopback(host) || isTls) continue;
    findings.push(
      name === "gRPC"
        ? warning(
          `gRPC: other machines can connect to ${at} without TLS`,
          'set [server.tls] cert and key, or server.host = "127.0.0.1"',
        )
        : hasLogin
        ? warning(
          `HTTP: other machines can connect to ${at} without TLS: tokens and sessions can be read on the way`,
          `set [server.tls] cert and key without allow_insecure, or server.http = "127.0.0.1:${port}"`,
        )
        : note(
          `HTTP: other machines can read health and metrics at ${at}`,
          `set server.http = "127.0.0.1:${port}", unless a monitor needs it`,
        ),
    );
  }
  for (const certificate of certificates) {
    const found = checkCertificate(certificate, { nowMs, restart });
    if (found !== null) findings.push(found);
  }
  if (findings.length > 0) return findings;
  const where = listeners.map(({ name, host, port }) => `${name} ${hostPort(host, port)}`);
  return [ok(where.join(", "))];
}

function checkCertificate(
  { path, until, problem, isForbidden }: CertificateFacts,
  { nowMs, restart }: { readonly nowMs: number; readonly restart: string },
): Finding | null {
  const { note, warning, error, unchecked } = findingsOf("listeners");
  const name = `the certificate "${path}"`;
  if (until === null) {
    if (isForbidden) return unchecked(`${name}: permission denied`, "sudo jobctl doctor");
    return error(`${name}: ${problem}`, `openssl x509 -noout -dates -in ${shellWord(path)}`);
  }
  const renew = `sudo certbot renew, or replace ${shellWord(path)}; then ${restart}`;
  const leftMs = until - nowMs;
  if (leftMs <= 0) return error(`${name} expired ${roughDuration(-leftMs)} ago`, renew);
  if (leftMs < SOON_MS) return warning(`${name} expires in ${roughDuration(leftMs)}`, renew);
  return leftMs < LATER_MS ? note(`${name} expires in ${roughDuration(leftMs)}`, renew) : null;
}

function readCertificate(path: string): CertificateFacts {
  try {
    const found = readRegularFile(path, PEM_BYTES_MAX);
    if (found === null) throw new Error(`it has more than ${PEM_BYTES_MAX} bytes`);
    const until = Date.parse(new X509Certificate(found.bytes).validTo);
    return { path, until, problem: null, isForbidden: false };
  } catch (error) {
    const code = errorCode(error);
    return {
      path,
      until: null,
      problem: code === "ENOENT"
        ? "no such file"
        : code?.startsWith("ERR_OSSL") || code?.startsWith("ERR_")
        ? "it is not a PEM certificate"
        : messageOf(error),
      isForbidden: code === "EACCES" || code === "EPERM",
    };
  }
}
