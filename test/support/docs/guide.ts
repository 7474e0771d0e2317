import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { JOBCTL } from "../processes/daemon.ts";
import { freePort } from "../servers/server_process.ts";
import { until } from "../wait.ts";
import { type Block, blocksOf, type Page } from "./pages.ts";

const COMMANDS_MS_MAX = 60_000;

/** The daemons that a page starts, by `JOBCTL_NODE_ID`. */
type Daemons = Map<string, ChildProcess>;

/** A page's commands and files on this machine. */
interface Guide {
  readonly page: string;
  /** Where the page's shell is. */
  cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Ports of the page, and those that stand for them here. */
  readonly ports: ReadonlyMap<string, number>;
  readonly daemons: Daemons;
}

/**
 * Does what a page says, from top to bottom, in the folder `dir`:
 *
 * - a block after "Put this in `FILE`:" is written to that file
 * - a `sh` block runs, unless it is marked `not-run`; `# exits with N` is checked
 * - a block that is only `jobctl serve` starts a daemon, and replaces one of the same name
 * - a `text` block after it is what it prints, where "…" stands for anything
 * - `<!-- test: stop NAME -->` is a Ctrl-C in the terminal of that daemon
 *
 * @param ports ports of servers that the page names, and those of the servers that run here
 */
export async function followGuide(
  page: Page,
  dir: string,
  ports: ReadonlyMap<string, number> = new Map(),
): Promise<void> {
  const [port, http, secondPort, secondHttp] = await Promise.all(
    [1, 2, 3, 4].map(() => freePort()),
  );
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("JOBCTL_"));
  const guide: Guide = {
    page: page.path,
    cwd: dir,
    env: {
      ...Object.fromEntries(clean) as Record<string, string>,
      PATH: `${dirname(JOBCTL)}${delimiter}${process.env.PATH}`,
      JOBCTL_OUTPUT: "table",
      JOBCTL_PORT: `${port}`,
      JOBCTL_SERVER_PORT: `${port}`,
      JOBCTL_SERVER_HTTP: `127.0.0.1:${http}`,
    },
    ports: new Map([...ports, ["59061", secondPort!], ["59062", secondHttp!]]),
    daemons: new Map(),
  };
  try {
    let printed = "";
    for (const step of stepsOf(page)) {
      if (typeof step === "string") await stop(guide, step);
      else printed = await take(guide, step, printed);
    }
  } finally {
    for (const daemon of guide.daemons.values()) daemon.kill("SIGKILL");
  }
}

/** The blocks of a page in order, and between them the names of daemons to stop. */
function stepsOf(page: Page): readonly (Block | string)[] {
  const stops = [...page.text.matchAll(/^<!-- test: stop (\w+) -->$/gm)].map((match) => ({
    line: page.text.slice(0, match.index).split("\n").length,
    step: match[1]!,
  }));
  const blocks = blocksOf(page).map((block) => ({ line: block.line, step: block }));
  return [...blocks, ...stops].sort((a, b) => a.line - b.line).map(({ step }) => step);
}

/** Does what one block says; what its commands print. */
async function take(guide: Guide, block: Block, printed: string): Promise<string> {
  const place = `${guide.page}:${block.line}`;
  const file = /[Pp]ut this in\s+`([^`]+)`/.exec(block.before)?.[1];
  if (file !== undefined) {
    const path = join(guide.cwd, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, here(guide, block.body));
    return "";
  }
  if (block.language === "text") {
    assert.ok(isShown(printed, block.body), `${place} says\n${block.body}\nfound\n${printed}`);
    return printed;
  }
  if (block.language !== "sh" || block.mark === "not-run") return "";
  const serve = /^((?:\w+=\S+ )*)jobctl serve\n$/.exec(block.body);
  if (serve === null) return await runBlock(guide, block.body, place);
  const variables = here(guide, serve[1]!).trim().split(" ").filter((word) => word !== "")
    .map((word) => word.split("=") as [string, string]);
  await start(guide, Object.fromEntries(variables));
  return "";
}

function here({ ports }: Guide, text: string): string {
  let found = text;
  for (const [shown, port] of ports) found = found.replaceAll(shown, `${port}`);
  return found;
}

/** True if a text contains what the page shows, whatever its blanks and capitals are. */
function isShown(text: string, shown: string): boolean {
  const plain = (one: string) => one.toLowerCase().replaceAll(/\s/g, "");
  const parts = plain(shown).split("…").map((part) =>
    part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
  );
  return new RegExp(parts.join("[^]*?")).test(plain(text));
}

async function runBlock(guide: Guide, body: string, place: string): Promise<string> {
  const lines = here(guide, body).replaceAll(/^sudo /gm, "")
    .replaceAll(/^(.*?)\s+# exits with (\d+)$/gm, 'code=0; $1 || code=$?; test "$code" = $2');
  const after = join(guide.cwd, ".folder-after");
  const script = `set -eu\n${lines}\npwd > '${after}'\n`;
  const options = { cwd: guide.cwd, env: guide.env, timeout: COMMANDS_MS_MAX };
  const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script], options)
    .catch((error) => assert.fail(`${place}: ${error.message}\n${error.stdout}${error.stderr}`));
  guide.cwd = readFileSync(after, "utf8").trim();
  return stdout + stderr;
}

async function start(guide: Guide, variables: Readonly<Record<string, string>>): Promise<void> {
  const name = variables.JOBCTL_NODE_ID ?? "one";
  await stop(guide, name);
  const log = join(guide.cwd, `${name}.log`);
  writeFileSync(log, "");
  const daemon = spawn(JOBCTL, ["serve"], {
    cwd: guide.cwd,
    env: { ...guide.env, ...variables },
    stdio: ["ignore", "ignore", "pipe"],
  });
  daemon.stderr!.on("data", (bytes: Uint8Array) => appendFileSync(log, bytes));
  guide.daemons.set(name, daemon);
  await until(`the daemon ${name} of ${guide.page} is ready`, () => {
    const text = readFileSync(log, "utf8");
    assert.equal(daemon.exitCode, null, text);
    return text.includes(" is ready ");
  });
}

async function stop({ daemons }: Guide, name: string): Promise<void> {
  const daemon = daemons.get(name);
  if (daemon === undefined) return;
  daemons.delete(name);
  daemon.kill("SIGINT");
  if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, "exit");
}
