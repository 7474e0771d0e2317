import { readSync } from "node:fs";
import process from "node:process";
import { errorCode } from "../../core/errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { type CliIo, processIo } from "../io/io.ts";
import { isTerminal } from "../io/standard_streams.ts";
import { DAEMON_OFFERS, type DaemonOffer, LOCAL_OFFERS } from "../parsing/options.ts";
import { completeLine, type LineAnswer, type OfferedName } from "./complete_line.ts";
import { readShellLine } from "./shell_line.ts";

type LocalOffer = typeof LOCAL_OFFERS[number];

const INPUT_MAX = 64 * 1024;
/** Longest description of a name. */
const DESCRIBE_MAX = 60;

/**
 * Answer a shell that completes a command line: `jobctl __complete SHELL`. The line is in stdin, as
 * `readShellLine` reads it: other users can read the arguments of a process, but not its stdin.
 *
 * Each line of its output is a name, a tab and a description. A line `:file` leaves
 * file names to the shell; `:folder`, `:user` and `:command` work likewise. On any error it prints
 * nothing and succeeds.
 */
export async function completeMain(argv: readonly string[]): Promise<void> {
  const io = processIo();
  try {
    const text = await answerCompletion(argv, readInput(), io);
    if (text !== "") await io.stdout.write(text);
  } catch {
    // An error would disturb the user's typing.
  }
  // A pending look-up of a host's name would delay its end.
  process.exit(0);
}

/** The lines that answer a shell; see {@link completeMain}. @throws JobError */
export async function answerCompletion(
  [shell = "", ...question]: readonly string[],
  input: string,
  io: CliIo,
): Promise<string> {
  const line = readShellLine(shell, input);
  if (line === null) return await answerQuestion(shell, question, input, io);
  if (line.words.length < 2) return "";
  const answer = await completeLine(line.words, line.unclear);
  const { choices, offer, head, prefix } = answer;
  const fixed = line.picks ? choices : startingWith(prefix, choices);
  const asked = await namesOf(answer, io);
  const names = [...fixed, ...asked];
  // The shell itself knows files, users and programs.
  const isOfShell = offer !== null && !isFromDaemon(offer) && !isLocal(offer);
  return (isOfShell ? `:${offer}\n` : "") +
    linesOf(names, (name) => line.insert === undefined ? name : line.insert(name, head));
}

/**
 * Answer the scripts of earlier builds, which parse the line themselves: `__complete OFFER PREFIX
 * [KIND [WHICH]]`, with the options of the connection in stdin, one per line.
 */
async function answerQuestion(
  offer: string,
  [prefix = "", kind = "", which = ""]: readonly string[],
  input: string,
  io: CliIo,
): Promise<string> {
  if (!isFromDaemon(offer) && !isLocal(offer)) return "";
  const line = await completeLine(["jobctl", "schedule", ...input.split("\n"), "--"]);
  const names = await namesOf({ ...line, offer, prefix, kind, which }, io);
  return linesOf(names, (name) => name);
}

/** The dynamic names, each with a short description. */
async function namesOf(answer: LineAnswer, io: CliIo): Promise<OfferedName[]> {
  const taken = new Set(answer.choices.map(({ name }) => name));
  const found = await findNames(answer, taken, io);
  return startingWith(answer.prefix, found).filter(({ name }) => !taken.has(name))
    .map(({ name, describe }) => ({
      name,
      describe: [...makeVisible(describe)].slice(0, DESCRIBE_MAX).join(""),
    }));
}

async function findNames(
  { offer, connection, ...question }: LineAnswer,
  taken: ReadonlySet<string>,
  io: CliIo,
): Promise<OfferedName[]> {
  if (offer === null || connection === null) return [];
  if (isLocal(offer)) return await localNames(offer, io);
  if (!isFromDaemon(offer)) return [];
  const { askDaemon } = await import("./ask_daemon.ts");
  return await askDaemon(connection, { ...question, offer, taken }, io);
}

/** Names that the program knows itself. */
async function localNames(offer: LocalOffer, io: CliIo): Promise<OfferedName[]> {
  if (offer === "context") return await contextNames(io);
  const { loadPages } = await import("../docs/pages.ts");
  return (await loadPages()).map(({ name, text }) => ({
    name,
    describe: /^# (.*)$/m.exec(text)?.[1] ?? "",
  }));
}

async function contextNames({ env }: CliIo): Promise<OfferedName[]> {
  const { contextsPath, readContexts } = await import("../contexts/contexts_file.ts");
  const path = contextsPath(env);
  if (path === null) return [];
  const { byName } = await readContexts(path);
  return [...byName].map(([name, { host, socket }]) => ({
    name,
    describe: String(host ?? socket ?? ""),
  }));
}

function isFromDaemon(text: string): text is DaemonOffer {
  return DAEMON_OFFERS.some((offer) => offer === text);
}

function isLocal(text: string): text is LocalOffer {
  return LOCAL_OFFERS.some((offer) => offer === text);
}

/** All of stdin. The stream of the runtime takes longer to load than the rest of an answer. */
function readInput(): string {
  // A terminal: a user runs it by hand.
  if (isTerminal(0)) return "";
  const bytes = Buffer.alloc(INPUT_MAX + 1);
  let used = 0;
  for (let read = 1; read > 0 && used < bytes.length; used += read) read = readSome(bytes, used);
  return used > INPUT_MAX ? "" : bytes.toString("utf8", 0, used);
}

function readSome(bytes: Buffer, offset: number): number {
  try {
    return readSync(0, bytes, offset, bytes.length - offset, null);
  } catch (error) {
    // The end of a pipe on Windows.
    if (errorCode(error) === "EOF") return 0;
    throw error;
  }
}

function startingWith(prefix: string, names: readonly OfferedName[]): OfferedName[] {
  return names.filter(({ name }) => name.startsWith(prefix));
}

/** A line for each name, in the form that the shell inserts. */
function linesOf(
  names: readonly OfferedName[],
  insert: (name: string) => string | null,
): string {
  return names.map(({ name, describe }) => {
    const text = insert(name);
    return text === null ? "" : `${text}\t${describe}\n`;
  }).join("");
}
