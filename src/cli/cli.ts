import { type JobError, toJobError } from "../core/errors.ts";
import type { Args } from "./args.ts";
import { EXIT, EXIT_CODES } from "./exit_codes.ts";
import { type CliIo, isBrokenPipe } from "./io.ts";
import type { OutputFormat } from "./output/format.ts";
import type { CommandLine } from "./parse.ts";
import type { JobClient } from "./session.ts";

type Run = Extract<CommandLine, { readonly type: "run" }>;

/**
 * Run one command line.
 *
 * @param argv what follows the program's name
 * @returns the exit code; every error has been told on stderr
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    if (isBrokenPipe(error)) return EXIT.ok;
    const jobError = toJobError(error, "Cannot run this command");
    await report(jobError, argv, io).catch(() => {});
    return EXIT_CODES[jobError.code];
  }
}

// Everything but this is loaded when it is needed, so that the version is there at once.
async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  if (argv[0] === "--version") {
    const { VERSION } = await import("../platform/version.ts");
    await io.stdout.write(`${VERSION}\n`);
    return EXIT.ok;
  }
  const { parseCommandLine } = await import("./parse.ts");
  const commandLine = await parseCommandLine(argv, io.columns);
  if (commandLine.type === "run") return await runVerb(commandLine, io);
  await (commandLine.isAsked ? io.stdout : io.stderr).write(commandLine.text);
  return commandLine.isAsked ? EXIT.ok : EXIT.usage;
}

async function runVerb({ verb, words, values, specs }: Run, io: CliIo): Promise<number> {
  const { Args } = await import("./args.ts");
  const { createPrinter } = await import("./output/printer.ts");
  const args = new Args({ words, values, specs, env: io.env, nowMs: io.clock.now().wallMs });
  const printer = createPrinter(io, {
    format: readFormat(args, io),
    hasColor: io.isTerminal && !io.env.NO_COLOR && !args.flag("no-color"),
    isQuiet: args.flag("quiet"),
  });
  const session = verb.isClient ? await openSession(args, io) : null;
  const client = async () => {
    if (!session) throw new Error("this verb has no connection");
    return await session.client();
  };
  try {
    return await verb.run(args, { io, printer, client });
  } finally {
    session?.close();
  }
}

function readFormat(args: Args, io: CliIo): OutputFormat {
  // The choices of the option are the formats.
  const format = args.text("output") as OutputFormat | undefined;
  return format ?? (io.isTerminal ? "table" : "json");
}

/** Read the options of the connection now, and make it when a verb first asks. */
async function openSession(args: Args, io: CliIo) {
  const { readClientSettings } = await import("./session.ts");
  const settings = readClientSettings(args);
  let client: JobClient | null = null;
  return {
    async client(): Promise<JobClient> {
      const connect = io.connect ?? (await import("../rpc/client.ts")).connect;
      return client ??= await connect(settings);
    },
    close: () => client?.close(),
  };
}

async function report(error: JobError, argv: readonly string[], io: CliIo): Promise<void> {
  const { makeLinesVisible } = await import("./output/safe_text.ts");
  let text = `jobctl: ${error.message}\n`;
  if (error.hint !== undefined) text += `hint: ${error.hint}\n`;
  if (argv.includes("--debug")) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      text += `${cause.stack}\n`;
    }
  }
  await io.stderr.write(makeLinesVisible(text));
}
