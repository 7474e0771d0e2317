import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { stat } from "node:fs/promises";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { Logger } from "../logger.ts";
import { readRegularFile } from "../files/read_file.ts";
import { trustProblem } from "../files/trusted_path.ts";

/** Largest certificate or key file, in bytes. A system's list of authorities has 300 kB. */
const PEM_BYTES_MAX = 4 * 1024 * 1024;

/** PEM texts of one side of a TLS connection. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | null;
}

function refuse(what: string, path: string, problem: string, hint: string): JobError {
  return new JobError("invalid_config", `Cannot use the ${what} "${path}": ${problem}`, { hint });
}

function readPem(path: string, what: string): Buffer {
  try {
    const found = readRegularFile(path, PEM_BYTES_MAX);
    if (found === null) throw new Error(`it has more than ${PEM_BYTES_MAX} bytes`);
    return found.bytes;
  } catch (error) {
    const isMissing = errorCode(error) === "ENOENT";
    throw refuse(
      what,
      path,
      isMissing ? "no such file" : messageOf(error),
      "Name a PEM file that can be read by the user who runs this",
    );
  }
}

function parseCertificate(pem: Buffer, path: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw refuse(
      what,
      path,
      "it is not a PEM certificate",
      'It begins "-----BEGIN CERTIFICATE-----"',
    );
  }
}

function parseKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw refuse(
      "private key",
      path,
      "it is not a PEM private key without a passphrase",
      'It begins "-----BEGIN PRIVATE KEY-----"',
    );
  }
}

function checkTime(certificate: X509Certificate, path: string, what: string, nowMs: number): void {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  if (nowMs > to) {
    throw refuse(what, path, `it expired at ${new Date(to).toISOString()}`, "Renew it");
  }
  if (nowMs < from) {
    throw refuse(
      what,
      path,
      `it is not valid before ${new Date(from).toISOString()}`,
      "Check the clock of this machine",
    );
  }
}

/** Read a file of CA certificates. @throws JobError `invalid_config` naming the file */
export async function loadCa(path: string, nowMs: number): Promise<Buffer> {
  const pem = readPem(path, "CA certificate");
  checkTime(parseCertificate(pem, path, "CA certificate"), path, "CA certificate", nowMs);
  return pem;
}

/**
 * Read certificate, key and CA of a listener or a client, and check that they match and are valid
 * now. Warns about a key that others can read.
 *
 * @throws JobError `invalid_config` naming the file
 */
export async function loadTls(
  files: { readonly cert: string; readonly key: string; readonly clientCa: string | null },
  options: { readonly nowMs: number; readonly logger: Logger },
): Promise<TlsMaterial> {
  const cert = readPem(files.cert, "certificate");
  const certificate = parseCertificate(cert, files.cert, "certificate");
  checkTime(certificate, files.cert, "certificate", options.nowMs);
  const key = readPem(files.key, "private key");
  if (!certificate.checkPrivateKey(parseKey(key, files.key))) {
    throw refuse(
      "private key",
      files.key,
      `it does not belong to the certificate "${files.cert}"`,
      "Name the key that the certificate was made for",
    );
  }
  for (const path of [files.cert, files.key, ...files.clientCa === null ? [] : [files.clientCa]]) {
    const problem = trustProblem(path);
    if (problem === null) continue;
    if (problem.isFatal) throw refuse("TLS file", path, problem.message, problem.hint);
    options.logger.warn(problem.message, { path, hint: problem.hint });
  }
  if (((await stat(files.key)).mode & 0o007) !== 0) {
    options.logger.warn(`Every user can read the private key "${files.key}"`, {
      hint: `chmod 600 ${shellWord(files.key)}`,
    });
  }
  const ca = files.clientCa === null ? null : await loadCa(files.clientCa, options.nowMs);
  return { cert, key, ca };
}

/** PEM texts of a client's side of a TLS connection. */
export interface ClientTls {
  /** The authorities that count; null: those of the system. */
  readonly ca: Buffer | null;
  /** Shown to a server that asks for one; null for none. */
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  /** The name that the server's certificate must have; null: the host that is connected to. */
  readonly serverName: string | null;
}

/** Read a client's files, null for those it does not use. @throws JobError as {@link loadTls} */
export async function loadClientTls(
  files: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
    readonly serverName: string | null;
  },
  options: { readonly nowMs: number; readonly logger: Logger },
): Promise<ClientTls> {
  const { cert, key, serverName } = files;
  const pair = cert === null || key === null
    ? null
    : await loadTls({ cert, key, clientCa: null }, options);
  const ca = files.ca === null ? null : await loadCa(files.ca, options.nowMs);
  return { ca, cert: pair?.cert ?? null, key: pair?.key ?? null, serverName };
}
