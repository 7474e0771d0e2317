import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import type { StoreTls } from "../../core/settings/store_config.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { Logger } from "../logger.ts";
import { asOwner, permissionsOf } from "../files/private_files.ts";
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

/** A file under its name in messages. */
interface NamedFile {
  readonly what: string;
  readonly path: string;
}

function refuse({ what, path }: NamedFile, problem: string, hint: string): JobError {
  return new JobError("invalid_config", `Cannot use the ${what} "${path}": ${problem}`, { hint });
}

function readPem(file: NamedFile): Buffer {
  try {
    const found = readRegularFile(file.path, PEM_BYTES_MAX);
    if (found === null) throw new Error(`it has more than ${PEM_BYTES_MAX} bytes`);
    return found.bytes;
  } catch (error) {
    const problem = errorCode(error) === "ENOENT" ? "no such file" : messageOf(error);
    throw refuse(file, problem, "Name a PEM file that can be read by the user who runs this");
  }
}

/** Read a certificate that is valid now. */
function readCertificate(file: NamedFile, nowMs: number) {
  const pem = readPem(file);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    throw refuse(file, "it is not a PEM certificate", 'It begins "-----BEGIN CERTIFICATE-----"');
  }
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  if (nowMs > to) throw refuse(file, `it expired at ${new Date(to).toISOString()}`, "Renew it");
  if (nowMs < from) {
    const problem = `it is not valid before ${new Date(from).toISOString()}`;
    throw refuse(file, problem, "Check the clock of this machine");
  }
  return { pem, certificate };
}

function parseKey(pem: Buffer, file: NamedFile): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const problem = "it is not a PEM private key without a passphrase";
    throw refuse(file, problem, 'It begins "-----BEGIN PRIVATE KEY-----"');
  }
}

/** Read a file of CA certificates. @throws JobError `invalid_config` naming the file */
export async function loadCa(path: string, nowMs: number): Promise<Buffer> {
  return readCertificate({ what: "CA certificate", path }, nowMs).pem;
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
  const certFile = { what: "certificate", path: files.cert };
  const { pem: cert, certificate } = readCertificate(certFile, options.nowMs);
  const keyFile = { what: "private key", path: files.key };
  const key = readPem(keyFile);
  if (!certificate.checkPrivateKey(parseKey(key, keyFile))) {
    const problem = `it does not belong to the certificate "${files.cert}"`;
    throw refuse(keyFile, problem, "Name the key that the certificate was made for");
  }
  for (const path of [files.cert, files.key, ...files.clientCa === null ? [] : [files.clientCa]]) {
    const problem = trustProblem(path);
    if (problem === null) continue;
    if (problem.isFatal) throw refuse({ what: "TLS file", path }, problem.message, problem.hint);
    options.logger.warn(problem.message, { path, hint: problem.hint });
  }
  if ((permissionsOf(await stat(files.key)) & 0o007) !== 0) {
    options.logger.warn(`Every user can read the private key "${files.key}"`, {
      hint: asOwner(`chmod 600 ${shellWord(files.key)}`, files.key),
    });
  }
  const ca = files.clientCa === null ? null : await loadCa(files.clientCa, options.nowMs);
  return { cert, key, ca };
}

/** PEM texts of a client's side of a TLS connection. */
export interface ClientTls {
  /** Trusted authorities; null: the system's. */
  readonly ca: Buffer | null;
  /** Shown to a server that asks for one; null for none. */
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  /** The name that the server's certificate must have; null: the host's. */
  readonly serverName: string | null;
}

/** Read a client's files, null for unused ones. @throws JobError like {@link loadTls} */
export async function loadClientTls(
  files: StoreTls,
  options: { readonly nowMs: number; readonly logger: Logger },
): Promise<ClientTls> {
  const { cert, key, serverName } = files;
  const pair = cert === null || key === null
    ? null
    : await loadTls({ cert, key, clientCa: null }, options);
  const ca = files.ca === null ? null : await loadCa(files.ca, options.nowMs);
  return { ca, cert: pair?.cert ?? null, key: pair?.key ?? null, serverName };
}
