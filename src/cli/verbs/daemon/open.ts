import process from "node:process";
import { isLoopback } from "../../../core/address.ts";
import { JobError, messageOf } from "../../../core/errors.ts";
import { sleep } from "../../../platform/clock.ts";
import type { ConnectOptions, JobClient } from "../../../rpc/client/client.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { PrivatePage } from "../../../platform/process/browser.ts";
import type { CliIo } from "../../io/io.ts";
import type { Args } from "../../parsing/args.ts";
import type { Verb } from "../../verb/verb.ts";
import { isoOf } from "../../io/wire.ts";
import { loginTarget, loginUrl, openingPage } from "./open_page.ts";

/** Time for a browser to log in, before its page is removed. */
const LOGIN_MS_MAX = 60_000;
const POLL_MS = 250;

/** `jobctl open` */
export const OPEN: Verb = {
  name: "open",
  summary: "Open the dashboard in a browser, logged in",
  details: [
    "Opens it where there is a desktop, with a page that only you can read and that is removed",
    "after the login; elsewhere, prints a URL with a one-time code. The code works once, for two",
    "minutes, on the daemon's machine only for your user. It gives the browser a session of at most",
    "12 hours with the rights of your own connection: on the Unix socket those of your user, else",
    "those of the token. A session that came from a token ends with it. Do not share the URL.",
  ].join(" "),
  options: {
    print: { describe: "Only print the URL", isFlag: true },
    user: {
      describe: "The user of the daemon's machine whose browser may use the code (default: you; " +
        "under sudo, the user who called it)",
      value: "NAME",
    },
  },
  examples: [
    ["jobctl open", "On the daemon's machine"],
    ["ssh web1 jobctl open -o name", "For a browser elsewhere that can reach the daemon"],
  ],
  async run(args, { client, daemon, io, printer }) {
    const { settings } = await daemon();
    const user = await userOf(args, io, settings);
    const connection = await client();
    const program = user === null ? await programFor(args, io) : null;
    const known = program && await sessionIds(connection);
    const uid = user === null ? undefined : BigInt(user);
    const { url, code, expiresAt } = await connection.createLoginCode({ uid });
    if (url === undefined || url === "") {
      throw new JobError(
        "unimplemented",
        "Cannot open the dashboard: the daemon does not serve it",
        {
          hint: "Set server.http in its configuration; if it is set, jobctl status says why not",
        },
      );
    }
    const target = loginTarget(url, settings);
    if (program !== null && known !== null && target.isCalled) {
      const isDone = () => hasNewSession(connection, known);
      const hasOpened = await show(openingPage(target, code), { io, program, isDone });
      if (hasOpened) return;
    } else if (program !== null) {
      const { host } = new URL(target.url);
      await printer.remark(`Not opened: ${host} is not the host that was called`);
    }
    const shown = loginUrl(target, code);
    await printer.details({ url: shown, expires_at: isoOf(expiresAt) }, shown, [shown]);
  },
};

/** The user of the code; null for the caller. @throws JobError `invalid_argument` */
async function userOf(args: Args, { env }: CliIo, settings: ConnectOptions) {
  const named = args.text("user");
  const { host = "localhost", socket, token, tokenFile } = settings;
  const isOwn = typeof socket === "string" ||
    (isLoopback(host) && token === undefined && tokenFile === undefined);
  const caller = env["SUDO_UID"];
  if (named === undefined) {
    const isSudo = process.getuid?.() === 0 && isOwn && /^[1-9]\d{0,9}$/.test(caller ?? "");
    return isSudo ? Number(caller) : null;
  }
  const { userId } = await import("../../../platform/system/accounts.ts");
  return userId(named);
}

/** The program that opens a browser; null where it is missing or unwanted. */
async function programFor(args: Args, { isTerminal, env }: CliIo) {
  if (args.flag("print") || !isTerminal) return null;
  const { programOf } = await import("../../../platform/process/browser.ts");
  return programOf(process.platform, env);
}

async function sessionIds(client: JobClient): Promise<ReadonlySet<string>> {
  return new Set((await client.listSessions({})).sessions.map(({ id }) => id));
}

/** True if a session of this caller has begun. */
async function hasNewSession(client: JobClient, known: ReadonlySet<string>): Promise<boolean> {
  for (const id of await sessionIds(client)) if (!known.has(id)) return true;
  return false;
}

/**
 * Open a page that logs in, and remove it after the login, after a minute, or at Ctrl-C.
 *
 * @returns false if no browser could be started
 */
async function show(
  html: string,
  { io, program, isDone }: {
    readonly io: CliIo;
    readonly program: readonly string[];
    readonly isDone: () => Promise<boolean>;
  },
): Promise<boolean> {
  const { openInBrowser, writePrivatePage } = await import("../../../platform/process/browser.ts");
  const abort = new AbortController();
  const stop = io.onInterrupt?.(() => abort.abort(), ["SIGINT", "SIGTERM", "SIGHUP"]);
  let page: PrivatePage | null = null;
  try {
    page = writePrivatePage(html, io.env);
    await openInBrowser(page.path, program);
  } catch (error) {
    page?.remove();
    stop?.();
    await io.stderr.write(`Cannot open a browser: ${makeVisible(messageOf(error))}\n`);
    return false;
  }
  try {
    await io.stderr.write("Opened a browser; it has a minute to log in\n");
    if (await isDoneInTime(isDone, io, abort.signal)) return true;
    await io.stderr.write("The browser has not logged in. For a URL: jobctl open --print\n");
    return true;
  } finally {
    page.remove();
    stop?.();
  }
}

async function isDoneInTime(
  isDone: () => Promise<boolean>,
  { clock }: CliIo,
  signal: AbortSignal,
): Promise<boolean> {
  const untilMs = clock.now().monotonicMs + LOGIN_MS_MAX;
  while (!signal.aborted && clock.now().monotonicMs < untilMs) {
    await sleep(clock, POLL_MS, signal);
    if (await isDone()) return true;
  }
  return false;
}
