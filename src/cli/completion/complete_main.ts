import process from "node:process";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import { type CliIo, processIo } from "../io.ts";
import { Args } from "../parsing/args.ts";
import { readClientSettings } from "../parsing/connection.ts";
import { CONNECTION_OPTIONS, LIVE_OFFERS, type LiveOffer } from "../parsing/options.ts";
import { type LiveName, liveNames, NAMES_MAX } from "./live_names.ts";

/** Longest wait for the daemon: somebody waits at a prompt. */
const WAIT_MS = 1_000;
/** Most bytes of the options of the connection. */
const INPUT_MAX = 64 * 1024;
/** Longest name that is offered. */
const NAME_MAX = 200;
/** Longest description of a name. */
const DESCRIBE_MAX = 60;

/**
 * Answer a shell that completes a command line: `jobctl __complete OFFER PREFIX [KIND]`. Stdin has
 * the options of the connection, `--host=web1`, a line each: other users cannot read it, as they
 * can the arguments of a process.
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
  [offer = "", prefix = "", kind = ""]: readonly string[],
  io: CliIo,
): Promise<string> {
  if (!isLive(offer)) return "";
  const { wallMs: nowMs } = io.clock.now();
  const values = connectionOf(await readInput(io));
  const args = new Args({
    ...{ words: {}, values, specs: CONNECTION_OPTIONS, env: io.env, nowMs, named: [] },
  });
  const settings = readClientSettings(args);
  const hasLimit = args.text("call-timeout") !== undefined;
  const timeoutMs = hasLimit ? settings.timeoutMs! : WAIT_MS;
  const connect = io.connect ?? (await import("../../rpc/client/client.ts")).connect;
  const client = await connect({ ...settings, timeoutMs });
  try {
    return await linesOf(client, { offer, prefix, kind, nowMs }, io, timeoutMs);
  } finally {
    client.close();
  }
}

function isLive(text: string): text is LiveOffer {
  return LIVE_OFFERS.some((offer) => offer === text);
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
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/.exec(line) ?? [];
    if (name === undefined || !Object.hasOwn(CONNECTION_OPTIONS, name)) continue;
    values[name] = CONNECTION_OPTIONS[name]!.isFlag ? true : value ?? "";
  }
  return values;
}

/** What was found until the time is over. */
async function linesOf(
  client: JobClient,
  question: Parameters<typeof liveNames>[1],
  { clock }: CliIo,
  timeoutMs: number,
): Promise<string> {
  const names = new Map<string, string>();
  const gather = async () => {
    for await (const found of liveNames(client, question)) {
      if (isOffered(found, question.prefix)) {
        const shown = [...makeVisible(found.describe)].slice(0, DESCRIBE_MAX).join("");
        names.set(found.name, shown);
      }
      if (names.size === NAMES_MAX) return;
    }
  };
  const { promise: late, resolve: stop } = Promise.withResolvers<void>();
  const timer = clock.timer(timeoutMs, stop);
  // If a call fails, what came before is better than nothing.
  await Promise.race([gather().catch(() => {}), late]);
  timer.cancel();
  return [...names].map(([name, describe]) => `${name}\t${describe}\n`).join("");
}

/**
 * True if a name can be offered. One with a line break or an escape sequence cannot be shown as it
 * is, and one that begins with a dash would be read as an option.
 */
function isOffered({ name }: LiveName, prefix: string): boolean {
  return name !== "" && name.length <= NAME_MAX && name.startsWith(prefix) &&
    !name.startsWith("-") && makeVisible(name) === name;
}
