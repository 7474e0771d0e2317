import process from "node:process";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import { type CliIo, processIo } from "../io.ts";
import { findDaemon } from "../contexts/find_daemon.ts";
import { Args } from "../parsing/args.ts";
import {
  CONNECTION_OPTIONS,
  DAEMON_OFFERS,
  type DaemonOffer,
  LOCAL_OFFERS,
} from "../parsing/options.ts";
import type { LiveName } from "./line_table.ts";
import { liveNames, type LiveQuestion, NAMES_MAX } from "./live_names.ts";

/** Longest wait for the daemon: somebody waits at a prompt. */
const WAIT_MS = 1_000;
/** Most bytes of the options of the connection. */
const INPUT_MAX = 64 * 1024;
/** Longest name that is offered. */
const NAME_MAX = 200;
/** Longest description of a name. */
const DESCRIBE_MAX = 60;
/** The question that has the whole line. */
const LINE = "line";

/**
 * Answer a shell that completes a command line: `jobctl __complete OFFER PREFIX [KIND [WHICH]]`.
 * Stdin has the options of the connection, `--host=web1`, a line each: other users cannot read it,
 * as they can the arguments of a process. `jobctl __complete line` has the whole line there, for
 * shells whose scripts do not take it apart.
 *
 * Prints a name and what it is in each line, with a tab between them. Whatever goes wrong, it
 * prints nothing and succeeds.
 */
export async function completeMain(argv: readonly string[]): Promise<void> {
  const io = processIo();
  try {
    const text = await answerCompletion(argv, io);
    if (text !== "") await io.stdout.write(text);
  } catch {
    // An error would be in the way of what somebody types.
  }
  // A pending look-up of a host's name would keep it for longer.
  process.exit(0);
}

/** The lines that answer a shell; see {@link completeMain}. @throws JobError */
export async function answerCompletion(
  [offer = "", prefix = "", kind = "", which = ""]: readonly string[],
  io: CliIo,
): Promise<string> {
  if (offer === LINE) return await answerLine(await readInput(io), io);
  if (isLocal(offer)) return linesOf(await localNames(offer, io), prefix);
  if (!isFromDaemon(offer)) return "";
  const given = connectionOf(await readInput(io));
  return linesOf(await askDaemon(given, { offer, prefix, kind, which }, io), prefix);
}

/** The whole line of a shell, of which the last word is completed. */
async function answerLine(input: string, io: CliIo): Promise<string> {
  const { completeLine, readWords } = await import("./complete_line.ts");
  const words = readWords(input);
  const { choices, offer, connection, ...question } = await completeLine(words);
  const given = connectionOf(connection.join("\n"));
  const asked = offer !== null && isFromDaemon(offer)
    ? await askDaemon(given, { ...question, offer }, io)
    : offer !== null && isLocal(offer)
    ? await localNames(offer, io)
    : [];
  const fixed = choices.map(({ text, describe }) => ({ name: text, describe }));
  // A parameter of the name of an option cannot be given as one.
  const taken = new Set(fixed.map(({ name }) => name));
  const others = asked.filter(({ name }) => !taken.has(name));
  const isOfSystem = offer !== null && !isFromDaemon(offer) && !isLocal(offer);
  // The shell itself knows files, users and programs.
  return (isOfSystem ? `:${offer}\n` : "") + linesOf([...fixed, ...others], question.prefix);
}

/** Names that the program knows itself. */
async function localNames(offer: typeof LOCAL_OFFERS[number], io: CliIo): Promise<LiveName[]> {
  if (offer === "context") return await contextNames(io);
  const { loadPages } = await import("../docs/pages.ts");
  return (await loadPages()).map(({ name, text }) => ({
    name,
    describe: /^# (.*)$/m.exec(text)?.[1] ?? "",
  }));
}

async function contextNames({ env }: CliIo): Promise<LiveName[]> {
  const { contextsPath, readContexts } = await import("../contexts/contexts_file.ts");
  const path = contextsPath(env);
  if (path === null) return [];
  const { byName } = await readContexts(path);
  return [...byName].map(([name, { host, socket }]) => ({
    name,
    describe: String(host ?? socket ?? ""),
  }));
}

async function askDaemon(
  values: Record<string, string | true>,
  question: Omit<LiveQuestion, "nowMs">,
  io: CliIo,
): Promise<LiveName[]> {
  const { wallMs: nowMs } = io.clock.now();
  const args = new Args({
    ...{ words: {}, values, specs: CONNECTION_OPTIONS, env: io.env, nowMs, named: [] },
  });
  const { settings } = await findDaemon(args, io);
  const hasLimit = args.text("call-timeout") !== undefined;
  const timeoutMs = hasLimit ? settings.timeoutMs! : WAIT_MS;
  const connect = io.connect ??
    (await import("../../rpc/client/socket_client.ts")).connectAtOnce;
  const client = await connect({ ...settings, timeoutMs });
  try {
    return await gather(client, { ...question, nowMs }, io, timeoutMs);
  } finally {
    client.close();
  }
}

function isFromDaemon(text: string): text is DaemonOffer {
  return DAEMON_OFFERS.some((offer) => offer === text);
}

function isLocal(text: string): text is typeof LOCAL_OFFERS[number] {
  return LOCAL_OFFERS.some((offer) => offer === text);
}

async function readInput({ stdin, isInteractive }: CliIo): Promise<string> {
  // Somebody runs it by hand.
  if (isInteractive) return "";
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stdin) {
    text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    if (text.length > INPUT_MAX) return "";
  }
  return text;
}

/** The options of the connection; others are left out. */
function connectionOf(text: string): Record<string, string | true> {
  const values: Record<string, string | true> = {};
  for (const line of text.split("\n")) {
    const [, dashes, given, value] = /^(--?)([A-Za-z-]+)(?:=(.*))?$/.exec(line) ?? [];
    const name = dashes === "-" ? longName(given!) : given;
    if (name === undefined || !Object.hasOwn(CONNECTION_OPTIONS, name)) continue;
    values[name] = CONNECTION_OPTIONS[name]!.isFlag ? true : value ?? "";
  }
  return values;
}

function longName(letter: string): string | undefined {
  return Object.keys(CONNECTION_OPTIONS)
    .find((name) => CONNECTION_OPTIONS[name]!.alias === letter);
}

/** What was found until the time is over. */
async function gather(
  client: JobClient,
  question: LiveQuestion,
  { clock }: CliIo,
  timeoutMs: number,
): Promise<LiveName[]> {
  const names = new Map<string, LiveName>();
  const read = async () => {
    for await (const found of liveNames(client, question)) {
      if (isOffered(found, question)) names.set(found.name, found);
      if (names.size === NAMES_MAX) return;
    }
  };
  const { promise: late, resolve: stop } = Promise.withResolvers<void>();
  const timer = clock.timer(timeoutMs, stop);
  // If a call fails, what came before is better than nothing.
  await Promise.race([read().catch(() => {}), late]);
  timer.cancel();
  return [...names.values()];
}

/** The names that begin with `prefix`, a line each. */
function linesOf(names: readonly LiveName[], prefix: string): string {
  return names.filter(({ name }) => name.startsWith(prefix)).map(({ name, describe }) => {
    const shown = [...makeVisible(describe)].slice(0, DESCRIBE_MAX).join("");
    return `${name}\t${shown}\n`;
  }).join("");
}

/**
 * True if a name can be offered. One with a line break or an escape sequence cannot be shown as it
 * is, and one that begins with a dash would be read as an option.
 */
function isOffered({ name }: LiveName, { prefix, offer }: LiveQuestion): boolean {
  return name !== "" && name.length <= NAME_MAX && name.startsWith(prefix) &&
    (offer === "parameter" || !name.startsWith("-")) && makeVisible(name) === name;
}
