import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { isGroup, type VerbEntry } from "../../../src/cli/verb/verb.ts";
import { loadVerbs } from "../../../src/cli/verbs.ts";
import { contractRoutes } from "../../../src/http/api/routes.ts";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";

/** Names in JSON are in snake case everywhere, apart from those that users choose. */

const TOKEN = "token-of-the-test-of-names";
const ENV = { HOOK: "secret-of-the-hook" };
const TOML = `timezone = "UTC"
[log]
format = "json"
[server.auth]
tokens = [{ name = "all", role = "admin", token = "${TOKEN}" }]
[notices.ops]
to = "exec"
command = ["/bin/true"]
[jobs.fragile]
run = "false"
schedule = "0 3 * * *"
misfire_within = "2h"
[jobs.sleeper]
run = "sleep 600"
hook = { verify = "token", secret = { env = "HOOK" } }
`;
const REPORT = `
interface Tree { readonly nodeName: string; readonly childNodes?: Tree[] }
/** Makes a report. */
export default function report(
  day: string,
  { dryRun = false }: { dryRun?: boolean } = {},
  tree?: Tree,
  ...rest: number[]
): [number, string] {
  console.log("day", day);
  return [1, day];
}
`;

const STUCK_JOB = `
import type { Context } from "ts-job";
export default async function stuck(ctx: Context) {
  const undo = () => {
    throw new Error("closed");
  };
  await ctx.step("charge", () => 1, { retry: 0, undo });
  throw new Error("no stock");
}
`;

let daemon: Daemon;
/** What the words of command lines and paths stand for. */
let named: Readonly<Record<"DONE" | "DEAD" | "RUNNING" | "STUCK" | "SCHEDULE" | "NODE", string>>;

before(async () => {
  daemon = await startDaemon({
    ...{ toml: TOML, modules: { "report.ts": REPORT, "stuck.ts": STUCK_JOB }, env: ENV },
  });
  const run = async (...args: string[]) => await json(["schedule", ...args]) as { id: string };
  const [done, dead, running, { id: STUCK }] = await Promise.all([
    run("report", "mon", "--wait"),
    json(["schedule", "fragile", "--wait"], [3]) as Promise<{ id: string }>,
    run("sleeper"),
    run("stuck"),
  ]);
  const { id: SCHEDULE } = await run("report", "mon", "--cron", "0 6 * * *");
  const { node: NODE } = await json(["status"]) as { node: string };
  named = { DONE: done.id, DEAD: dead.id, RUNNING: running.id, STUCK, SCHEDULE, NODE };
});

after(async () => {
  await daemon?.stop();
});

/** Verbs that read the configuration, load modules or run them: in the compiled file. */
const OF_FILE = /^(?:check|init|next|simulate|doctor|exec|docs|version|serve|store restore)\b/;

/** What a command line prints as JSON: mostly in this process, as each start takes long. */
async function json(args: readonly string[], codes: readonly number[] = [0]): Promise<unknown> {
  const line = [...args, "-o", "json"];
  // Contexts are kept in the folder of its user.
  const env = { ...ENV, HOME: daemon.dir };
  const { code, stdout, stderr } = OF_FILE.test(args.join(" "))
    ? await daemon.jobctl(line, { env: { ...env, XDG_CONFIG_HOME: undefined } })
    : await daemon.ask(line, { env: { ...env, XDG_CONFIG_HOME: undefined } });
  assert.ok(codes.includes(code), `${args.join(" ")}: ${code} ${stderr}`);
  assert.notEqual(stdout, "", args.join(" "));
  return JSON.parse(stdout);
}

/** Members whose own members are named by users. */
const NAMED_BY_USERS = new Set(["arguments", "results", "definitions"]);

/** The paths of the members of a value whose names are not in snake case. */
function* wrongNames(value: unknown, path: string): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[]` : `${path}.${name}`;
    if (!Array.isArray(value) && !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)) yield at;
    if (!NAMED_BY_USERS.has(name)) yield* wrongNames(member, at);
    else if (name === "definitions") {
      for (const shape of Object.values(member as object)) yield* wrongNames(shape, at);
    }
  }
}

/** Command lines in the order in which they run; capitals stand for what is in {@link named}. */
const LINES: readonly (readonly [line: string, ...codes: number[]])[] = [
  ["check"],
  ["init made"],
  ["next fragile"],
  ["simulate"],
  ["simulate --ticks"],
  ["simulate --notices"],
  ["status --since 1h"],
  ["doctor -c config.toml", 0, 1, 2],
  ["reload --dry-run"],
  ["reload"],
  ["schedule report tue"],
  ["schedule report tue --dry-run"],
  ["run report wed"],
  ["exec report wed -c config.toml"],
  ["list jobs --all"],
  ["list instances"],
  ["list dead"],
  ["list schedules"],
  ["list timers"],
  ["list nodes"],
  ["get version"],
  ["get job report"],
  ["get instance DONE"],
  ["get instance RUNNING"],
  ["get schedule SCHEDULE"],
  ["get node NODE"],
  ["describe job fragile"],
  ["describe job report"],
  ["describe instance DEAD"],
  ["describe flow DONE"],
  ["describe schedule SCHEDULE"],
  ["describe node NODE"],
  ["explain fragile"],
  ["explain DEAD"],
  ["logs DONE"],
  ["history DEAD"],
  ["pause report --reason because"],
  ["list pauses"],
  ["resume report"],
  ["pause RUNNING --freeze"],
  ["resume RUNNING"],
  ["skip report --next 1"],
  ["backfill report --from -2d --to now --yes"],
  ["incidents --all"],
  ["ack fragile"],
  ["silence fragile --until 3d"],
  ["list silences"],
  ["silence fragile --end"],
  ["notices list"],
  ["notices test ops"],
  ["retry DONE"],
  ["redrive DEAD"],
  ["signal RUNNING go"],
  ["approve RUNNING go"],
  ["undo STUCK --abandon"],
  ["reject RUNNING go"],
  ["get steps RUNNING"],
  ["cancel instances --uuid RUNNING"],
  ["update schedule SCHEDULE --priority 3"],
  ["delete schedule SCHEDULE --yes"],
  ["workers get"],
  ["workers scale 5"],
  ["store info"],
  ["store verify"],
  ["store gc"],
  ["store backup backup.jsonl"],
  ["context add here --host 127.0.0.1"],
  ["context list"],
  ["context show here"],
  ["token new ci --tokens-file tokens.json --role viewer"],
  ["token list --tokens-file tokens.json"],
  ["token revoke ci --tokens-file tokens.json --yes"],
  ["open --print"],
  ["sessions list"],
  ["docs"],
  ["docs --search cron"],
  ["version --verbose"],
  ["serve -c config.toml --dry-run"],
  ["store restore backup.jsonl --store memory:"],
  ["stop --yes"],
];

/** Verbs whose output is never JSON of ours, and those that other tests look at. */
const WITHOUT = new Set([
  ...["context use", "context remove", "healthcheck", "import crontab", "export crontab"],
  ...["export proto", "export schema", "completion", "top", "wrap"],
  ...["import systemd", "install-service", "uninstall-service", "upgrade-daemon", "selftest"],
  ...["verify", "store migrate", "sessions revoke"],
]);

function titlesOf(entry: VerbEntry, before: readonly string[] = []): string[] {
  const titles = [...before, entry.name];
  return isGroup(entry)
    ? entry.verbs.flatMap((verb) => titlesOf(verb, titles))
    : [titles.join(" ")];
}

test("every response over HTTP has names in snake case", async () => {
  const values: Readonly<Record<string, string>> = {
    ...{ uuid: named.DEAD, id: named.SCHEDULE, schedule_id: named.SCHEDULE, kind: "fragile" },
  };
  const wrong = new Set<string>();
  const statuses = new Set<number>();
  for (const route of contractRoutes().filter(({ verb }) => verb === "GET")) {
    if (/follow|watch/.test(route.path)) continue;
    const path = route.path.replaceAll(
      /\{(?:\w+\.)?(\w+)\}/g,
      (_, name: string) => values[name] ?? name,
    );
    const response = await fetch(`http://127.0.0.1:${daemon.httpPort}${path}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    statuses.add(response.status);
    for (const name of wrongNames(await response.json(), path)) wrong.add(name);
  }
  assert.deepEqual([...wrong], []);
  // A few reads are refused, since they need conditions, and their problems have names, too.
  assert.deepEqual([...statuses].sort(), [200, 400]);
});

test("every verb writes JSON with names in snake case", async () => {
  const wrong = new Set<string>();
  for (const [line, ...codes] of LINES) {
    const words = line.split(" ").map((word) => named[word as keyof typeof named] ?? word);
    const printed = await json(words, codes.length === 0 ? [0] : codes);
    for (const name of wrongNames(printed, line)) wrong.add(name);
  }
  assert.deepEqual([...wrong], []);
  const log = daemon.log().trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([...new Set(log.flatMap((record) => [...wrongNames(record, "log")]))], []);
  const missing = (await loadVerbs()).flatMap((verb) => titlesOf(verb)).filter((title) =>
    !WITHOUT.has(title) && !LINES.some(([line]) => `${line} `.startsWith(`${title} `))
  );
  assert.deepEqual(missing, []);
});
