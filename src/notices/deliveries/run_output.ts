import type { StoredLogEntry } from "../../core/instance.ts";
import type { CommandSpec } from "../../core/job/job.ts";
import {
  NOTICE_LINES_MAX,
  type NoticeCommand,
  type NoticeRun,
  type NoticeType,
} from "../../core/notices/notice.ts";
import { pagesOf } from "../../core/query.ts";
import { isDroppedOutput } from "../../core/text/dropped_output.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { type Account, resolveAccount } from "../../platform/system/accounts.ts";
import type { NoticeContext } from "../context/notice_context.ts";

/** Most pages of a log that are read for its last lines. */
const PAGES_MAX = 200;
/** Most characters of a whole output. Few mail servers take more than twice this. */
const WHOLE_CHARS_MAX = 4 * 1024 * 1024;

/**
 * A run's output, oldest line first: the last lines, or with `isWhole` all of them. For news
 * `output` it is the last attempt's, without the job's own log.
 */
export async function outputOf(
  { type, run }: { readonly type: NoticeType; readonly run: NoticeRun | null },
  { store }: Pick<NoticeContext, "store">,
  isWhole: boolean,
): Promise<readonly string[]> {
  if (run === null) return [];
  const isShown = type === "output"
    ? (entry: StoredLogEntry) => entry.attempt === run.attempt && isOutput(entry)
    : ({ source }: StoredLogEntry) => source !== "system";
  const read = (token?: string) =>
    store.logs({ instanceId: run.id }, { limit: 1_000, ...(token === undefined ? {} : { token }) });
  let lines: string[] = [];
  let pages = 0;
  let chars = 0;
  for await (const entries of pagesOf(read)) {
    const more = entries.filter(isShown).map(({ message }) => message);
    if (!isWhole) lines = [...lines, ...more].slice(-NOTICE_LINES_MAX);
    for (const line of isWhole ? more : []) {
      chars += line.length + 1;
      if (chars > WHOLE_CHARS_MAX) return [...lines, `[The rest: jobctl logs ${run.id}]`];
      lines.push(line);
    }
    if (!isWhole && ++pages === PAGES_MAX) break;
  }
  return lines;
}

function isOutput({ source, message }: StoredLogEntry): boolean {
  return source === "stdout" || source === "stderr" ||
    source === "system" && isDroppedOutput(message);
}

/** Facts about a job's command for a cron's mail; undefined for other jobs. */
export function commandOfKind(
  kind: string,
  { findJob }: Pick<NoticeContext, "findJob">,
): NoticeCommand | undefined {
  const source = findJob(kind)?.source;
  if (source?.type !== "command") return undefined;
  const { command } = source;
  const { argv, env, secrets } = command;
  // The line is followed by the shell's own name.
  const place = argv.indexOf("-c") + 1;
  const isLine = place > 0 && place >= argv.length - 2;
  const account = accountOf(command);
  const own = Object.entries(env).filter(([, value]) => !secrets.includes(value));
  return {
    user: account.name,
    line: isLine ? argv[place]! : argv.map(shellWord).join(" "),
    env: {
      SHELL: isLine ? argv[0]! : "/bin/sh",
      HOME: account.home,
      PATH: "/usr/bin:/bin",
      LOGNAME: account.name,
      USER: account.name,
      ...Object.fromEntries(own),
    },
  };
}

/** The account of a command, if known on this host. */
function accountOf({ user }: CommandSpec): Account {
  try {
    return resolveAccount(user, null);
  } catch {
    return { name: user ?? "", home: "" };
  }
}
