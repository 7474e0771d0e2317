import { errorCode, messageOf } from "../../../core/errors.ts";
import type { SmtpTransport } from "../../../core/notices/settings.ts";
import type { Clock } from "../../../platform/clock.ts";
import { loadCa } from "../../../platform/network/tls.ts";
import { DeliveryError } from "../channel.ts";

/** A mail with its addresses. */
export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
  readonly message: Buffer;
}

/** Limits of one delivery. */
export interface SmtpOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Recipients by the server's answer. */
export interface SmtpResult {
  /** Finally refused; the others have the mail. */
  readonly refused: readonly string[];
  /** Recipients to try again; the others have the mail. */
  readonly deferred: readonly string[];
  /** The answer to an accepted mail, on one line. */
  readonly answer: string;
}

/** Longest reply of a server, in bytes. */
const REPLY_BYTES_MAX = 65_536;
/** Kept part of its last reply, in characters. */
const ANSWER_LENGTH_MAX = 200;

type Connection = InstanceType<typeof import("nodemailer/lib/smtp-connection")["default"]>;

/**
 * Give a mail to a server. If the connection breaks after the last byte, the result is uncertain.
 *
 * @throws DeliveryError if no recipient gets it; permanent according to the server
 */
export async function sendBySmtp(
  transport: SmtpTransport,
  envelope: Envelope,
  options: SmtpOptions,
): Promise<SmtpResult> {
  const connection = await newConnection(transport, options);
  const failed = Promise.withResolvers<never>();
  connection.on("error", (error: unknown) => failed.reject(error));
  connection.on("end", () => failed.reject(new Error("the server closed the connection")));
  const abort = () => failed.reject(new Error("no response in time"));
  options.signal.addEventListener("abort", abort, { once: true });
  if (options.signal.aborted) abort();
  try {
    return await Promise.race([failed.promise, converse(connection, transport, envelope)]);
  } catch (error) {
    throw smtpError(error, transport);
  } finally {
    options.signal.removeEventListener("abort", abort);
    connection.close();
  }
}

async function newConnection(
  { host, port, tls, caFile }: SmtpTransport,
  { clock, timeoutMs }: SmtpOptions,
): Promise<Connection> {
  const ca = caFile === null ? null : await loadCa(caFile, clock.now().wallMs);
  const { default: SmtpConnection } = await import("nodemailer/lib/smtp-connection");
  return new SmtpConnection({
    host,
    port,
    secure: tls === "implicit",
    requireTLS: tls === "required",
    ignoreTLS: tls === "off",
    opportunisticTLS: tls === "opportunistic",
    tls: {
      ...(ca === null ? {} : { ca }),
      ...(tls === "opportunistic" ? { rejectUnauthorized: false } : {}),
    },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    socketCloseTimeout: 0,
    maxResponseSize: REPLY_BYTES_MAX,
    logger: false,
  });
}

async function converse(
  connection: Connection,
  { login }: SmtpTransport,
  { from, to, message }: Envelope,
): Promise<SmtpResult> {
  await step((done) => connection.connect(done));
  if (login !== null) {
    const { user, password: pass } = login;
    await step((done) => connection.login({ user, pass, credentials: { user, pass } }, done));
  }
  const info = await new Promise<SentInfo>(
    (resolve, reject) => {
      connection.send({ from, to: [...to] }, message, (error, result) => {
        if (error) reject(error);
        else resolve(result as SentInfo);
      });
    },
  );
  connection.quit();
  const rejected = info.rejectedErrors ?? [];
  return {
    refused: rejected.filter((one) => isFinal(one)).map(recipientOf),
    deferred: rejected.filter((one) => !isFinal(one)).map(recipientOf),
    answer: (info.response ?? "").replaceAll(/\s+/g, " ").trim().slice(0, ANSWER_LENGTH_MAX),
  };
}

interface SentInfo {
  readonly rejectedErrors?: readonly Refusal[];
  readonly response?: string;
}

interface Refusal {
  readonly responseCode?: number;
  readonly recipient?: unknown;
}

function isFinal({ responseCode = 0 }: Refusal): boolean {
  return responseCode >= 500;
}

function recipientOf({ recipient }: Refusal): string {
  return typeof recipient === "string" ? recipient : String(recipient);
}

function step(run: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    run((error) => error ? reject(error) : resolve());
  });
}

/** An error of nodemailer, in our words. A failed login may be mended, and the mail then sent. */
function smtpError(error: unknown, { host, port, tls }: SmtpTransport): DeliveryError {
  if (error instanceof DeliveryError) return error;
  const at = `${host}:${port}`;
  const { responseCode = 0 } = error as { readonly responseCode?: number };
  const code = errorCode(error);
  const text = messageOf(error).replaceAll(/\s+/g, " ").trim().slice(0, 500);
  const isPermanent = responseCode >= 500 && (code === "EENVELOPE" || code === "EMESSAGE");
  const hint = tls === "implicit" && /WRONG_VERSION_NUMBER|wrong version number/i.test(text)
    ? "No TLS at this port: write smtp://"
    : code === "EAUTH"
    ? "Check user and password in [notices.NAME]"
    : code === "ETLS"
    ? tls === "implicit"
      ? "For a server with STARTTLS write smtp://"
      : "The server may not offer STARTTLS: see tls in [notices.NAME]"
    : undefined;
  return new DeliveryError(`${at}: ${text}`, { isPermanent, hint, cause: error });
}
