import { bareHost, hostPort } from "../../../core/address.ts";
import { JobError, messageOf } from "../../../core/errors.ts";
import type { CliIo } from "../../io.ts";
import type { ConnectOptions } from "../../../rpc/client/client.ts";
import type { Verb } from "../../verb.ts";
import { isoOf } from "../../wire.ts";

/** Addresses that mean every address of a host: a browser cannot go there. */
const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** `jobctl open` */
export const OPEN: Verb = {
  name: "open",
  summary: "Open the dashboard in a browser, logged in",
  details: [
    "Prints a URL with a one-time code, and opens it where there is a desktop. The code works once,",
    "for two minutes. It gives the browser a session of at most 12 hours with the rights of your",
    "own connection: on the Unix socket those of your user, else those of the token. A session that",
    "came from a token ends with it. Whoever uses the URL first has the session: do not share it.",
  ].join(" "),
  options: {
    print: { describe: "Only print the URL", isFlag: true },
  },
  examples: [
    ["jobctl open", "On the daemon's machine"],
    ["ssh web1 jobctl open -o name", "For a browser elsewhere that can reach the daemon"],
  ],
  async run(args, { client, daemon, io, printer }) {
    const { url, expiresAt } = await (await client()).createLoginCode({});
    if (url === undefined || url === "") {
      throw new JobError(
        "unimplemented",
        "Cannot open the dashboard: the daemon does not serve it",
        {
          hint: "Set server.http in its configuration",
        },
      );
    }
    const shown = reachable(url, (await daemon()).settings);
    await printer.details({ url: shown, expires_at: isoOf(expiresAt) }, shown, [shown]);
    if (!args.flag("print") && io.isTerminal) await open(shown, io);
  },
};

/** The URL with a host that a browser can use: the one that this command uses itself. */
function reachable(url: string, { socket, host }: ConnectOptions): string {
  const parsed = new URL(url);
  if (!EVERY_ADDRESS.has(bareHost(parsed.hostname))) return url;
  const isLocal = host === undefined || (socket !== null && socket !== undefined);
  parsed.host = hostPort(isLocal ? "localhost" : host, Number(parsed.port));
  return parsed.href;
}

/** Open a URL with the desktop's browser, if there is one. */
async function open(url: string, io: CliIo): Promise<void> {
  const { openInBrowser } = await import("../../../platform/process/browser.ts");
  try {
    await openInBrowser(url, io.env);
  } catch (error) {
    await io.stderr.write(`Cannot open a browser: ${messageOf(error)}\n`);
  }
}
