import { JobError, toJobError } from "../core/errors.ts";
import type { Args } from "./parsing/args.ts";
import { EXIT, EXIT_CODES } from "./io/exit_codes.ts";
import { type CliIo, isBrokenPipe, PLAIN_COLUMNS, writeIfRead } from "./io/io.ts";
import type { OutputFormat } from "./output/format.ts";
import type { VerbRun } from "./parse.ts";
import type { Verb, VerbContext } from "./verb/verb.ts";

/**
 * Run one command line.
 *
 * @param argv the line after the program's name
 * @returns the exit code; every error has been written to stderr
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    if (isBrokenPipe(error)) return EXIT.ok;
    const jobError = toJobError(error, "Cannot run this command");
    const verb = await verbOf(argv);
    const failure = verb?.failed?.(jobError);
    if (failure) {
      await writeIfRead(io.stdout, failure.line);
      return failure.code;
    }
    await report(await inOptions(jobError, verb), argv, io).catch(() => {});
    return EXIT_CODES[jobError.code];
  }
}

// Everything else is loaded only when needed, so that --version responds at once.
async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  if (argv[0] === "--version" || argv[0] === "-V") {
    const { VERSION } = await import("../platform/version.ts");
    await io.stdout.write(`${VERSION}\n`);
    return EXIT.ok;
  }
  const { readPlainLine } = await import("./plain_line.ts");
  const plain = await readPlainLine(argv);
  if (plain) return await runVerb(plain, io);
  const { parseCommandLine } = await import("./parse.ts");
  const commandLine = await parseCommandLine(argv, io.isTerminal ? io.columns : PLAIN_COLUMNS);
  if (commandLine.type === "run") return await runVerb(commandLine, io);
  await (commandLine.isAsked ? io.stdout : io.stderr).write(commandLine.text);
  if (commandLine.topic) await explain(commandLine.topic, io);
  return commandLine.isAsked ? EXIT.ok : EXIT.usage;
}

async function verbOf(argv: readonly string[]): Promise<Verb | null> {
  return await (await import("./parse.ts")).verbOf(argv);
}

/** The error in terms of the verb's options, where the daemon names its own fields. */
async function inOptions(error: JobError, verb: Verb | null): Promise<JobError> {
  if (verb === null || error.options.length === 0) return error;
  const { nameOptions } = await import("./parsing/option_names.ts");
  const { optionsOf } = await import("./verb/verb.ts");
  return nameOptions(error, optionsOf(verb));
}

async function runVerb(run: VerbRun, io: CliIo): Promise<number> {
  return await withContext(run, io, async (args, context) => {
    // Other verbs have an option, or an argument, of that name.
    const isWatched = run.verb.watches !== undefined && args.given(["watch"]).length > 0;
    if (!isWatched) return await run.verb.run(args, context);
    const { watchVerb } = await import("./watch/watch_verb.ts");
    return await watchVerb(run.verb, args, context);
  }) || EXIT.ok;
}

/** Write a verb's explanation of its words, after its help. */
async function explain(run: VerbRun, io: CliIo): Promise<void> {
  await withContext(run, io, async (args, context) => {
    const lines = await run.verb.explain?.(args, context) ?? [];
    if (lines.length > 0) await io.stdout.write(`\n${lines.join("\n")}\n`);
  });
}

async function withContext<T>(
  { verb, words, values, named }: VerbRun,
  processIo: CliIo,
  action: (args: Args, context: VerbContext) => Promise<T>,
): Promise<T> {
  const { Args } = await import("./parsing/args.ts");
  const { optionsOf } = await import("./verb/verb.ts");
  const { Printer } = await import("./output/printer.ts");
  const { guardTerminal } = await import("./output/terminal_text.ts");
  const { wallMs: nowMs } = processIo.clock.now();
  const env = processIo.env;
  const args = new Args({ words, values, specs: optionsOf(verb), env, nowMs, named });
  const hasColor = !args.flag("no-color") && wantsColor(processIo);
  const io = guardTerminal(processIo, hasColor);
  const isGoJob = args.text("compat") !== undefined;
  const format = readFormat(args);
  const fields = verb.options?.fields === undefined ? null : readFields(args);
  const printer = new Printer(io, {
    format: format ?? (isGoJob ? "json" : "table"),
    hasTabs: format === undefined && !io.isTerminal,
    hasColor,
    hasHeader: !args.flag("no-header"),
    isQuiet: args.flag("quiet"),
    fields,
    isGoJob,
  });
  const session = verb.isOffline
    ? null
    : await openSession(args, io, { ...verb, values: printer.values });
  const needed = () => {
    if (!session) throw new Error("this verb has no connection");
    return session;
  };
  const client = async () => await needed().client();
  const daemon = async () => await needed().find();
  const daemonText = async () => await needed().daemonText();
  try {
    return await action(args, { io, printer, client, daemon, daemonText });
  } catch (error) {
    throw session === null ? error : await session.explained(error);
  } finally {
    session?.close();
  }
}

/** The requested form; undefined if unset. */
function readFormat(args: Args): OutputFormat | undefined {
  // A verb with other choices than the formats handles them itself.
  const format = args.text("output") as OutputFormat | "jsonschema" | undefined;
  return format === "jsonschema" ? "json" : format;
}

/** The requested fields; null for all. @throws JobError `invalid_argument` */
function readFields(args: Args): readonly string[] | null {
  const fields = [...new Set(args.list("fields"))];
  if (fields.length === 0) return null;
  const other = args.text("compat") !== undefined
    ? "--compat"
    : args.text("output") === "name" || args.text("output") === "jsonschema"
    ? `-o ${args.text("output")}`
    : null;
  if (other === null) return fields;
  throw new JobError("invalid_argument", `Cannot use --fields with ${other}: it has no fields`, {
    hint: "Leave one of them out",
  });
}

/**
 * True if the terminal, or an overriding variable, wants colors: https://no-color.org,
 * https://force-color.org and https://bixense.com/clicolors.
 */
function wantsColor({ env, isTerminal }: CliIo): boolean {
  if (env.NO_COLOR) return false;
  const forced = env.FORCE_COLOR ?? env.CLICOLOR_FORCE;
  if (forced !== undefined && forced !== "") return forced !== "0";
  return isTerminal && env.TERM !== "dumb" && env.CLICOLOR !== "0";
}

/** Read the options of the connection now; connect when the verb first needs it. */
async function openSession(
  args: Args,
  io: CliIo,
  { needsNoConnection = false, values }: Pick<Verb, "needsNoConnection"> & {
    readonly values: "text" | "json";
  },
) {
  const { DaemonSession } = await import("./contexts/daemon_session.ts");
  const session = new DaemonSession(args, io, values);
  if (!needsNoConnection) await session.find();
  return session;
}

async function report(error: JobError, argv: readonly string[], io: CliIo): Promise<void> {
  const { makeLinesVisible } = await import("../core/text/safe_text.ts");
  let text = `jobctl: ${error.message}\n`;
  if (error.hint !== undefined) text += `hint: ${error.hint}\n`;
  if (argv.includes("--debug")) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      text += `${cause.stack}\n`;
    }
  }
  await io.stderr.write(makeLinesVisible(text));
}
