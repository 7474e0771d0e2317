import { existsSync } from "node:fs";
import type { TriedStart } from "../../../daemon/try_start.ts";
import { ConfigError, formatBriefly } from "../../../config/values/problems.ts";
import type { ReportedRun } from "../../../core/job/external.ts";
import { toJobError } from "../../../core/errors.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeLinesVisible, makeVisible } from "../../../core/text/safe_text.ts";
import { EXIT } from "../../io/exit_codes.ts";
import type { CliIo } from "../../io/io.ts";
import type { Printer } from "../../output/printer.ts";
import { refusalLines } from "../../output/problem_lines.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import { Spool, spoolFolder } from "../../wrap/spool.ts";
import { CONFIG_OPTION, configFileOf } from "../../parsing/config_file.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";

/** Record the runs that this user's `jobctl wrap` could not report while the daemon was away. */
async function deliverKept(
  manager: { reportRun(kind: string, run: ReportedRun): Promise<unknown> },
  socket: string | null,
  { env, clock }: Pick<CliIo, "env" | "clock">,
): Promise<void> {
  const folder = spoolFolder(env);
  if (!existsSync(folder)) return;
  try {
    const { deliver } = await import("../../wrap/deliver.ts");
    const { ownReporter } = await import("../../wrap/reporter.ts");
    const reporter = ownReporter(socket, (kind, run) => manager.reportRun(kind, run));
    const all = { reporter, spool: new Spool(folder), clock, limit: Infinity, timeoutMs: 0 };
    // Refused reports stay, as when jobctl wrap delivers them.
    for await (const _ of deliver(all));
  } catch {
    // An unreadable spool is left to jobctl wrap, which reports it.
  }
}

/** Most problems that a start shows; `jobctl check` has no such limit. */
const PROBLEMS_SHOWN_MAX = 10;

/** A start of a watched configuration that failed. */
async function showWaiting(error: unknown, context: VerbContext): Promise<void> {
  const { stderr } = context.io;
  if (error instanceof ConfigError) await showRefused(error, context);
  else {
    const { message, hint } = toJobError(error, "Cannot run the daemon");
    const more = hint === undefined ? "" : `\nhint: ${hint}`;
    await stderr.write(`${makeLinesVisible(`error: ${message}${more}`)}\n`);
  }
  await stderr.write("Waiting for a change of the configuration\n");
}

async function showRefused(
  { message, problems }: ConfigError,
  { io, printer }: VerbContext,
): Promise<number> {
  const paint: Printer["paint"] = io.isErrorTerminal ? printer.paint : (text) => text;
  const lines = [
    ...refusalLines(problems, { cwd: io.cwd, max: PROBLEMS_SHOWN_MAX, paint }),
    `${paint("error:", "bad")} ${makeVisible(message.split("\n", 1)[0]!)}`,
  ];
  await io.stderr.write(`${lines.join("\n")}\n`);
  return EXIT.usage;
}

/** Everything that a start would load, and the jobs that it would disable. */
async function showTried(
  { version, jobs, problems }: TriedStart,
  { io, printer }: VerbContext,
): Promise<number> {
  for (const problem of problems.slice(0, PROBLEMS_SHOWN_MAX)) {
    await writeMessage(io, makeVisible(formatBriefly(problem)));
  }
  const disabled = problems.length;
  const record = { version, jobs, problems: disabled, takes_sockets: true };
  const text = disabled === 0 ? "" : `, with ${countText(disabled, "problem")}`;
  const lines = [
    `jobctl ${version} would start with ${
      countText(jobs, "job")
    }${text}; the store and ports are not checked`,
  ];
  await printer.details(record, version, lines);
  return 0;
}

// Options, each with the short name of the setting that it overrides.
const SETTINGS: Readonly<Record<string, string>> = {
  host: "host",
  port: "port",
  http: "http",
  socket: "socket",
  store: "store",
  workers: "workers",
  "log-level": "logLevel",
  "log-format": "logFormat",
};

/** `jobctl serve` */
export const SERVE: Verb = {
  name: "serve",
  summary: "Run the daemon: schedules, queue, workers, gRPC and HTTP",
  details: [
    "Flags override the file and the JOBCTL_* variables. On SIGTERM or SIGINT the daemon drains:",
    "nothing new starts, and running attempts have worker.drain, or the drain of their job, to",
    "finish. A second signal stops them at once. If systemd restarts the unit, commands run on, and",
    "the next daemon adopts them; worker.on_stop changes that. With --watch the daemon reloads whenever a file of",
    "the configuration or a job module changes, restarts by itself for settings that need it, and",
    "reports errors without ending.",
  ].join(" "),
  options: {
    config: CONFIG_OPTION,
    host: { value: "ADDRESS", describe: "Address of the gRPC listener (server.host)" },
    port: {
      value: "PORT",
      describe: 'Port of the gRPC listener; 0 picks a free one, "" for none (server.port)',
    },
    http: { value: "ADDRESS", describe: 'Address and port of HTTP, "" for none (server.http)' },
    socket: {
      value: "FILE",
      describe: 'Unix socket, "auto" or "" for none (server.socket)',
      offers: "file",
    },
    store: {
      value: "URL",
      describe: "URL of the store, such as sqlite:data/jobctl.db (store.url)",
    },
    workers: { value: "N", describe: "How many attempts run at once (worker.count)" },
    "log-level": {
      value: "LEVEL",
      describe: "debug, info, warn or error (log.level)",
      suggests: ["debug", "info", "warn", "error"],
    },
    "log-format": {
      value: "FORMAT",
      describe: "text or json (log.format)",
      suggests: ["text", "json"],
    },
    watch: {
      describe: "Reload whenever a file of the configuration or a job module changes",
      isFlag: true,
    },
    "dry-run": {
      describe: "Load what a start needs, beside a daemon that may run, and start nothing",
      isFlag: true,
    },
    salvage: {
      describe: "Start even if a SQLite store lost commits, and report how many",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl serve --config config.toml", "Run what the file says"],
    ["jobctl serve --dry-run", "Would it start? Opens no store that has another owner"],
    ["jobctl serve --watch", "While you write jobs: apply each change"],
    ["jobctl serve -c config.toml --port 0 --log-level debug", "Override settings for one run"],
  ],
  isOffline: true,
  async run(args, context) {
    const { io } = context;
    const { serve } = await import("../../../daemon/app.ts");
    const flags: Record<string, unknown> = {};
    for (const [option, setting] of Object.entries(SETTINGS)) flags[setting] = args.raw(option);
    const settings = { configFile: configFileOf(args, io.cwd), flags, env: io.env };
    const run = async () => {
      if (args.flag("dry-run")) {
        const { tryStart } = await import("../../../daemon/try_start.ts");
        return await showTried(await tryStart(settings), context);
      }
      return await serve({
        ...settings,
        salvages: args.flag("salvage"),
        watches: args.flag("watch"),
        onRefused: (error) => showWaiting(error, context),
        onReady: (manager, socket) => void deliverKept(manager, socket, io),
        // The daemon continues when nobody reads its log any more.
        writeLog: (line) => void io.stderr.write(line).catch(() => {}),
      });
    };
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return await showRefused(error, context);
    }
  },
};
