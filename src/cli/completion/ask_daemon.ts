import { makeVisible } from "../../core/text/safe_text.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import { findDaemon } from "../contexts/find_daemon.ts";
import type { CliIo } from "../io/io.ts";
import { Args } from "../parsing/args.ts";
import { CONNECTION_OPTIONS } from "../parsing/options.ts";
import type { OfferedName } from "./complete_line.ts";
import { liveNames, type LiveQuestion, NAMES_MAX } from "./live_names.ts";

/** Longest wait for the daemon: a user waits at a prompt. */
const WAIT_MS = 1_000;
/** Longest name that is offered. */
const NAME_MAX = 200;

/**
 * Names from the daemon of a line.
 *
 * @param connection the options of the connection on the line: `--host=web1`
 * @throws JobError if there is no such daemon
 */
export async function askDaemon(
  connection: readonly string[],
  question: Omit<LiveQuestion, "nowMs">,
  io: CliIo,
): Promise<OfferedName[]> {
  const { wallMs: nowMs } = io.clock.now();
  const values = connectionOf(connection);
  const specs = CONNECTION_OPTIONS;
  const args = new Args({ words: {}, values, specs, env: io.env, nowMs, named: [] });
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

/** The options of the connection by name, without others. */
function connectionOf(words: readonly string[]): Record<string, string | true> {
  const values: Record<string, string | true> = {};
  for (const word of words) {
    const [, dashes, given, value] = /^(--?)([A-Za-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
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

/** Results found until the time is over. */
async function gather(
  client: JobClient,
  question: LiveQuestion,
  { clock }: CliIo,
  timeoutMs: number,
): Promise<OfferedName[]> {
  const names = new Map<string, OfferedName>();
  const read = async () => {
    for await (const found of liveNames(client, question)) {
      if (isOffered(found, question)) names.set(found.name, found);
      if (names.size === NAMES_MAX) return;
    }
  };
  const { promise: late, resolve: stop } = Promise.withResolvers<void>();
  const timer = clock.timer(timeoutMs, stop);
  // If a call fails, earlier results are better than nothing.
  await Promise.race([read().catch(() => {}), late]);
  timer.cancel();
  return [...names.values()];
}

/**
 * True if a name can be offered: line breaks and escape sequences are unprintable, and a leading
 * dash would make it an option.
 */
function isOffered({ name }: OfferedName, { prefix, offer }: LiveQuestion): boolean {
  return name !== "" && name.length <= NAME_MAX && name.startsWith(prefix) &&
    (offer === "parameter" || !name.startsWith("-")) && makeVisible(name) === name;
}
