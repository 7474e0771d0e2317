import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { tlsFile } from "../tls_files.ts";

/** How a mail server of a test behaves. */
export interface MailServerOptions {
  /** TLS from the start. */
  readonly secure?: boolean;
  /** Offers STARTTLS. */
  readonly startTls?: boolean;
  /** Wants this login. */
  readonly login?: { readonly user: string; readonly password: string };
  /** The code with which a recipient is refused; null for none. */
  readonly refuse?: (address: string) => number | null;
  /** Ends the connection when it has the mail, without an answer. */
  readonly cutsAfterData?: boolean;
}

/** A mail as a server has got it. */
export interface ReceivedMail {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly message: string;
  readonly isSecure: boolean;
}

/** Run `body` with a mail server. */
export async function withMailServer<T>(
  options: MailServerOptions,
  body: (port: number, mails: readonly ReceivedMail[]) => Promise<T>,
): Promise<T> {
  const mails: ReceivedMail[] = [];
  const server = new SMTPServer({
    ...settingsOf(options),
    onRcptTo({ address }, _session, callback) {
      const code = options.refuse?.(address) ?? null;
      if (code === null) return callback();
      callback(Object.assign(new Error("not here"), { responseCode: code }));
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          sender: mailFrom ? mailFrom.address : "",
          recipients: rcptTo.map(({ address }) => address),
          message: Buffer.concat(chunks).toString("utf8"),
          isSecure: session.secure,
        });
        if (!options.cutsAfterData) return callback();
        for (const connection of server.connections) {
          (connection as unknown as { readonly _socket: { destroy(): void } })._socket.destroy();
        }
      });
    },
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.server.address() as AddressInfo;
  try {
    return await body(port, mails);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

function settingsOf({ secure, startTls, login }: MailServerOptions): SMTPServerOptions {
  const disabled = [...(startTls ? [] : ["STARTTLS"]), ...(login ? [] : ["AUTH"])];
  return {
    secure: secure === true,
    cert: readFileSync(tlsFile("server.crt")),
    key: readFileSync(tlsFile("server.key")),
    disabledCommands: disabled,
    authOptional: login === undefined,
    closeTimeout: 100,
    disableReverseLookup: true,
    logger: false,
    onAuth({ username, password }, _session, callback) {
      const isRight = username === login?.user && password === login?.password;
      if (isRight) callback(null, { user: username });
      else callback(new Error("wrong password"));
    },
  };
}
