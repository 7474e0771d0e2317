import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import test from "node:test";
import { type Daemon, JOBCTL, startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

// What people want to know or do, and the command that a new user finds for it with the help. They
// run one after the other on one daemon with some history.

const TOML = `
[server.auth]
tokens_file = "tokens.json"
[worker]
count = 8
[defaults]
retry = 0
[notices.ops]
to = "exec"
command = ["true"]
[jobs.backup]
run = "echo dumping; echo done"
schedule = "30 2 * * *"
[jobs.report]
schedule = "0 7 * * 1-5"
args = { customer = "all" }
[jobs.import]
run = "echo 'ftp: 530 login incorrect' >&2; exit 3"
[jobs.mirror]
run = "sleep 86400"
schedule = "* * * * * *"
[jobs.hang]
run = "echo waiting; sleep 86400"
`;

const MODULES = {
  "report.ts": `
/** Makes the report of a customer. */
export default function report(customer: string, date = "2026-11-27", format: "pdf" | "csv" = "pdf") {
  console.log("reading orders of " + customer);
  if (date === "2026-11-20") throw new Error("no orders on " + date);
  return customer + "-" + date + "." + format;
}`,
  "mail.ts": `
export default function mail(to: string) {
  if (to.startsWith("bad")) throw new Error("550 no such user: " + to);
}`,
  "shop.ts": `
import type { Context, JobInput } from "ts-job";
export default {
  concurrency: [{ max: 1, by: "customer" }],
  run: async (context: Context, customer: string, orders: number) => {
    for (let at = 0; at < orders; at++) {
      context.progress(at, orders);
      console.log("order " + at + " of " + customer);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },
} satisfies JobInput;`,
};

const FILES = {
  "changed.toml": `
[defaults]
retry = { max = "x" }
[jobs.backup]
run = "true"
schedule = "30 25 * * *"
timeout = "20x"
`,
  "next.toml": '[jobs.backup]\nrun = "true"\nschedule = "30 2 * * *"\n',
  "crontab": "*/5 * * * * /usr/bin/php /srv/cron.php\n",
  "runs.jsonl": Array.from(
    { length: 50 },
    (_, at) => `{"kind":"mail","arguments":["u${at}@x.org"],"at":"2099-01-01T00:00:00Z"}\n`,
  ).join(""),
};

/** Days of reports that there have been. */
const DAYS = [11, 12, 13, 14, 15, 21, 22, 23, 24, 25];
/** Other runs that there have been before the first question, at the same time; then the last. */
const HISTORY = [
  "jobctl run backup; jobctl run mail bad@x.org; jobctl run import",
  "jobctl run hang -d; jobctl run hang -d",
  "jobctl run shop shop-42 6000 -d; jobctl run shop shop-42 7 -d",
  "jobctl schedule mail a@x.org --in 3h; jobctl schedule mail b@x.org --in 3h",
];
const LAST = "jobctl run report acme --date 2026-11-20";

interface Task {
  readonly question: string;
  readonly command: string;
  /** What the answer must have, on stdout or stderr; tabs are between the columns of a list. */
  readonly says: readonly RegExp[];
  readonly code?: number;
}

function task(question: string, command: string, ...says: readonly RegExp[]): Task {
  return { question, command, says };
}

const LOOK: readonly Task[] = [
  task(
    "Is anything wrong right now?",
    "jobctl status",
    /^Incidents: +3 open$/m,
    /^Incident: +import since .*exit 3: ftp: 530/m,
    /^Blocked by: +concurrency of shop customer="shop-42" \(1 of 1\)$/m,
  ),
  task(
    "Which run failed last night, and why?",
    "jobctl list instances --state failed --since 'yesterday 22:00'",
    /\treport\tfailed\t.*\tno orders on 2026-11-20$/m,
    /\timport\tfailed: exit 3\t.*\tftp: 530 login incorrect$/m,
  ),
  task("Show the whole log of that run", "jobctl logs report", /INFO +reading orders of acme$/m),
  task(
    "Which machine ran a given run?",
    "jobctl describe last:report",
    /^Node: +\S+$/m,
    /^Arguments: +acme\n +2026-11-20$/m,
  ),
  task(
    "Why did a job not run at its time?",
    "jobctl explain mirror",
    /mirror {2}skipped \(overlap\)$/m,
    /It was skipped: the run of .* had not ended \(overlap "skip"\)/,
  ),
  task("When does backup run next?", "jobctl next backup -n 1", /\b02:30:00 /),
  task(
    "The next runs of every job",
    "jobctl next --each -n 2 --config next.toml",
    /^backup\t.* 02:30:00 .*\nbackup\t.* 02:30:00 /m,
  ),
  task("How long do reports usually take?", "jobctl describe report", /^Usually takes: +\d+/m),
  task(
    "Which runs of this week took longest?",
    "jobctl list instances --since 7d --fields duration_ms,kind -o csv | sort -rn | head -3",
    /^\d+,(?:hang|shop|mirror|report|import|backup|mail)\b/,
  ),
  task(
    "What is running now, since when, how far?",
    "jobctl list instances --state running",
    /\tshop\trunning \d+%\t.*\t(?:now|.* ago)\tshop-42, 6000$/m,
    /\thang\trunning\t/,
  ),
  task(
    "What blocks the runs of customer shop-42?",
    "jobctl describe last:shop",
    /^Waiting for: +concurrency of shop customer="shop-42" \(1 of 1\)$/m,
  ),
  task(
    "What was done for customer shop-42?",
    "jobctl list --text shop-42",
    /\tshop\trunning \d+%\t.*\tshop-42, 6000$/m,
  ),
  task(
    "What runs at half past two tonight?",
    "jobctl next --after 2:30 --until 2:31 --config next.toml",
    /^\S.* 02:30:00 .*$/m,
  ),
  task(
    "How many runs failed per job in the last 24 hours?",
    "jobctl list instances --state failed --since 24h --fields kind -o csv | sort | uniq -c",
    /^ *1 import\r?$/m,
    /^ *1 mail\r?$/m,
  ),
  task(
    "A CSV of last week's runs of report",
    "jobctl list instances --kind report --since 7d -o csv",
    /^kind,id,.*,duration_ms[^\n]*\nreport,/,
  ),
  task(
    "Only the ids of failed runs, for a shell loop",
    'for id in $(jobctl list instances --state failed -o name); do echo "failed $id"; done',
    /^(?:failed [0-9a-f-]{36}\n){3}$/,
  ),
  task(
    "The duration of the last run of report in milliseconds",
    "jobctl get last:report -o json | grep duration_ms",
    /^ *"duration_ms": \d+,?\n$/,
  ),
  task(
    "Which arguments does report take?",
    "jobctl run report --help",
    /^ +customer +string +required$/m,
    /^ +format +"pdf" \| "csv" +default "pdf"$/m,
  ),
  task(
    "Follow the log of a run that is running",
    'jobctl logs -f "$(jobctl list instances --kind shop --state running -o name)" | head -2',
    /INFO +order 0 of shop-42\n.*order 1 of shop-42\n$/,
  ),
];

const CHANGE: readonly Task[] = [
  task("Run it again", "jobctl retry last:report", /\treport\t.*\tacme, 2026-11-20$/m),
  task(
    "Run it again with another date",
    "jobctl run report acme --date 2026-11-26",
    /^acme-2026-11-26\.pdf$/m,
    /^Done in /m,
  ),
  task(
    "Stop backups until Monday morning",
    "jobctl pause backup --until 'monday 8:00'",
    /^backup\t\d{4}-\d\d-\d\d 0?8:00:00.*\tin \d/m,
  ),
  task("Let backups run again now", "jobctl resume backup", /^Resumed backup$/m),
  task("Skip only the next run of report", "jobctl skip report", /\treport\t.*skips 1/),
  task(
    "Cancel the one run that hangs, and only it",
    "jobctl cancel last:hang && jobctl list instances --kind hang --state running",
    /\thang\tcanceled\t[^]*\thang\trunning\t/,
  ),
  {
    question: "Cancel everything of mail that waits, after seeing how many",
    command: "jobctl cancel instances --kind mail --state waiting",
    says: [/Cannot cancel 2 instances of kind "mail" in state waiting without/, /--yes/],
    code: 2,
  },
  task(
    "Cancel everything of mail that waits",
    "jobctl cancel instances --kind mail --state waiting --yes",
    /(?:\tmail\tcanceled\t[^]*){2}/,
  ),
  task(
    "The same in the background; keep its id in a variable",
    'id=$(jobctl run report acme --detach) && jobctl get "$id" -o name',
    /^[0-9a-f-]{36}\n$/,
  ),
  task("Run report in two hours", "jobctl schedule report acme --in 2h", /\treport\twaiting\t/),
  task(
    "Run report every day at 07:30 Berlin time, beginning tomorrow",
    "jobctl schedule report acme --cron '30 7 * * *' --timezone Europe/Berlin --starts-at tomorrow",
    /\treport\t30 7 \* \* \*\tin .*\tEurope\/Berlin\tacme$/m,
  ),
  task(
    "Change that to 08:00",
    'jobctl update schedule "$(jobctl list schedules -o name | grep -v config:)" --cron "0 8 * * *"',
    /\treport\t0 8 \* \* \*\t/,
  ),
  task(
    "Remove that schedule",
    'jobctl delete schedule "$(jobctl list schedules -o name | grep -v config:)" --yes && jobctl list schedules -o name',
    /config:report:0$/m,
  ),
  task(
    "Which runs gave up for good?",
    "jobctl list dead --kind mail",
    /\tmail\tfailed\t.*\t550 no/,
  ),
  task(
    "Run those of mail again",
    "jobctl redrive --kind mail --yes",
    /\tmail\twaiting\t.*\tbad@x\.org$/m,
  ),
  task("Give the daemon eight workers, for now", "jobctl workers scale 8", /^8\t/m),
  {
    question: "Find every mistake in a changed configuration",
    command: "jobctl check --config changed.toml",
    says: [/retry\.max: found "x"/, /hour "25"/, /found "20x"/, /changed\.toml: 3 errors/],
    code: 2,
  },
  task(
    "Load the changed configuration and see what changed",
    "printf '[jobs.extra]\\nrun = \"true\"\\n' >> config.toml && jobctl reload",
    /^\+ job extra$/m,
  ),
  {
    question: "Run a command once, and end with its exit code",
    command:
      'printf \'[jobs.sh]\\nrun = "eval \\\\"$1\\\\""\\nparams = "line: string"\\n\' >> config.toml' +
      " && jobctl reload && jobctl run sh 'echo hello; exit 7' --exit-code",
    says: [/^\+ job sh$/m, /^hello$/m, /^Failed: exit 7/m],
    code: 7,
  },
  task(
    "Run a command once in 20 minutes",
    "jobctl schedule sh 'echo later' --in 20m",
    /\tsh\twaiting\t.*\tin 20m\techo later$/m,
  ),
  task(
    "Turn my crontab into a configuration",
    "jobctl import crontab crontab",
    /\*\/5 \* \* \* \*/,
  ),
  task(
    "What would next week look like?",
    "jobctl simulate --config next.toml --from monday --to +7d --offline",
    /^7 ticks of 1 schedule\b/m,
  ),
  task(
    "No notices about import for two hours",
    "jobctl silence import --until +2h",
    /^import\t\d{4}-.*\tin \d.*\t(?:now|\ds ago)\t/m,
  ),
  task("Which incidents are open?", "jobctl incidents", /\timport\tfailed\t/),
  task(
    "Say that somebody works on it",
    "jobctl ack import",
    /^Acknowledged import since .*acknowledged by /m,
  ),
  task(
    "Back up the database while the daemon runs",
    "jobctl store backup saved.db && ls saved.db",
    /^Records: +.*instance/m,
    /^saved\.db$/m,
  ),
  task(
    "Set up completion in bash",
    "source <(jobctl completion bash) && complete -p jobctl",
    /^complete .*jobctl$/m,
  ),
  task(
    "Use a daemon elsewhere by a short name",
    "touch t && jobctl context add prod --host prod.example --port 59051 --tls --token-file t && jobctl context list",
    /\tprod\tprod\.example:59051\t/,
  ),
  task(
    "Read the page about retries without internet",
    "jobctl docs --search retries && jobctl docs jobs#retries",
    /^jobs#retries\t/m,
    /^Retries\n─+$/m,
  ),
  task(
    "A read-only token for a colleague",
    "jobctl token new anna --role viewer -o name",
    /^jobctl_[\w-]+$/m,
  ),
  task("Queue many runs from a file", "jobctl schedule --from runs.jsonl", /\b50 instances\b/),
  task("What do the exit codes mean?", "jobctl help exit-codes", /^124 +Timed out/m),
  task("Stop the daemon", "jobctl stop --now --yes", /\bstopp(?:ed|ing)\b/i),
];

/** Run a command line as in a terminal in the daemon's folder. */
async function shell(command: string, daemon: Daemon): Promise<{ code: number; text: string }> {
  const child = spawn("bash", ["-c", command], {
    cwd: daemon.dir,
    env: {
      PATH: `${dirname(JOBCTL)}:${process.env.PATH}`,
      HOME: daemon.dir,
      TZ: "UTC",
      JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock"),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
  }
  const [code] = await once(child, "close") as [number | null];
  return { code: code ?? -1, text };
}

/** What is wrong with the answer; null if nothing is. */
async function wrongWith(task: Task, daemon: Daemon): Promise<string | null> {
  const { code, text } = await shell(task.command, daemon);
  const missing = task.says.filter((pattern) => !pattern.test(text));
  if (missing.length === 0 && code === (task.code ?? 0)) return null;
  return `${task.question}\n$ ${task.command}\n${text}[${code}] lacks ${missing.join(" ")}`;
}

test("the command that a new user finds answers the question", async () => {
  const daemon = await startDaemon({ toml: TOML, modules: MODULES });
  try {
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(daemon.dir, name), text);
    const requests = DAYS.map((day) => ({ kind: "report", arguments: ["acme", `2026-11-${day}`] }));
    const { instances } = await daemon.client().scheduleJobs({ requests });
    await Promise.all([
      ...instances.map(({ uuid }) => daemon.client().waitInstance({ uuid, waitMs: 30_000n })),
      ...HISTORY.map((command) => shell(command, daemon)),
    ]);
    await shell(LAST, daemon);
    await until("a tick of mirror was skipped", async () => {
      return (await shell("jobctl explain mirror", daemon)).text.includes("skipped");
    });
    const wrong = await Promise.all(LOOK.map((task) => wrongWith(task, daemon)));
    for (const task of CHANGE) wrong.push(await wrongWith(task, daemon));
    assert.deepEqual(wrong.filter((each) => each !== null), []);
  } finally {
    await daemon.stop({ force: true });
  }
});
