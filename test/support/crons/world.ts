import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { JOBCTL } from "../processes/daemon.ts";
import { parseMail } from "../notices/parsed_mail.ts";
import { until } from "../wait.ts";
import { type CronName, unpackCron } from "./packages.ts";

/** A file of a host, such as `etc/cron.d/a` or `spool/root`. */
export interface HostFile {
  readonly path: string;
  readonly text: string;
  readonly mode?: number;
  readonly uid?: number;
}

/** One run of a command that recorded itself. */
export interface RecordedRun {
  readonly name: string;
  /** HHMM of the wall clock. */
  readonly minute: string;
  /** Its environment, folder, user, umask, input. */
  readonly lines: readonly string[];
}

/** What a world shows. */
export interface Observed {
  readonly runs: readonly RecordedRun[];
  /** The mails that its sendmail was given, as text: recipients, headers that count, body. */
  readonly mails: readonly string[];
  /** Command lines of processes that still run and are none of the daemon's. */
  readonly survivors: readonly string[];
  /** What the daemon and the import wrote. */
  readonly log: string;
}

/** A host of its own with one daemon: mounts, processes and accounts are its own. */
export interface World {
  observe(): Promise<Observed>;
  /** Ends every process of it. */
  end(): Promise<void>;
}

/** Where commands record themselves; bound to a folder of each world. */
const RECORDS = "/mnt";
/** A process that a command left behind on purpose. */
const LEFT_BEHIND = /^sleep 90\d\d$/;

const RECORDER = `#!/bin/sh
# Usage: record NAME: appends how this run was started.
file=${RECORDS}/runs/$1.$(date +%H%M).$$
{
  printf 'cwd %s\\n' "$(pwd)"
  printf 'id %s\\n' "$(id -u):$(id -g):$(id -G)"
  printf 'umask %s\\n' "$(umask)"
  printf 'nice %s\\n' "$(nice)"
  env | grep -vE '^(PWD|OLDPWD|SHLVL|_)=' | sed 's/^/env /' | sort
  sed 's/^/stdin /'
} > "$file.part"
mv "$file.part" "$file"
`;

const SENDMAIL = `#!/bin/sh
# Keeps a mail with its arguments.
file=${RECORDS}/mails/$$.$(date +%s%N)
{
  for word in "$@"; do printf '%s\\n' "$word"; done
  echo
  cat
} > "$file.part"
mv "$file.part" "$file"
`;

// Everything that cron reads at fixed paths is this world's own; /dev is, for the sake of /dev/log.
const BOOT = `set -e
world=$1; shift
mount --make-rprivate /
mount --bind "$world/etc" /etc
mount -t tmpfs none /var/spool
mkdir -p /var/spool/cron
cp -a "$world/spool" /var/spool/cron/crontabs
chmod 1730 /var/spool/cron/crontabs
mount -t tmpfs none /run
mount -t tmpfs none /home
mkdir /home/alice /home/bob
chown 2001:2001 /home/alice
chown 2002:2002 /home/bob
cp -a /usr/sbin/. "$world/sbin"
# In place of the link of a mailer that is installed on this machine.
cp --remove-destination "$world/sendmail" "$world/sbin/sendmail"
mount --bind "$world/sbin" /usr/sbin
mount --bind "$world/records" ${RECORDS}
mount -t proc proc /proc
"$@" &
wait
`;

const ACCOUNTS = "alice:x:2001:2001::/home/alice:/bin/sh\nbob:x:2002:2002::/home/bob:/bin/sh\n";
const SHADOW = "alice:!:20000::::::\nbob:!:20000::::::\n";
const GROUPS = "alice:x:2001:\nbob:x:2002:\nstaff2:x:2003:alice\n";

function writeHost(world: string, files: readonly HostFile[], packages: readonly string[]): void {
  const etc = join(world, "etc");
  cpSync("/etc", etc, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  for (const name of ["cron.d", "crontab", "anacrontab"]) {
    rmSync(join(etc, name), { recursive: true, force: true });
  }
  for (const folder of packages) {
    const own = join(folder, "etc");
    if (existsSync(own)) cpSync(own, etc, { recursive: true });
  }
  writeFileSync(join(etc, "passwd"), readFileSync("/etc/passwd", "utf8") + ACCOUNTS);
  writeFileSync(join(etc, "shadow"), readFileSync("/etc/shadow", "utf8") + SHADOW);
  writeFileSync(join(etc, "group"), readFileSync("/etc/group", "utf8") + GROUPS);
  for (const folder of ["etc/cron.d", "spool", "sbin", "records/runs", "records/mails"]) {
    mkdirSync(join(world, folder), { recursive: true });
  }
  chmodSync(join(world, "records/runs"), 0o1777);
  chmodSync(join(world, "records/mails"), 0o1777);
  writeFileSync(join(world, "sendmail"), SENDMAIL);
  chmodSync(join(world, "sendmail"), 0o755);
  writeFileSync(join(world, "records/record"), RECORDER);
  chmodSync(join(world, "records/record"), 0o755);
  for (const { path, text, mode = path.startsWith("spool/") ? 0o600 : 0o644, uid = 0 } of files) {
    const file = join(world, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
    chownSync(file, uid, uid);
  }
}

function commandOf(name: CronName): readonly string[] {
  const folder = unpackCron(name);
  switch (name) {
    case "debian":
      return [join(folder, "usr/sbin/cron"), "-f", "-L", "15"];
    case "cronie":
      return [join(folder, "usr/sbin/crond"), "-n"];
    case "busybox":
      return [join(folder, "usr/bin/busybox"), "crond", "-f", "-l", "8"];
  }
}

/** jobctl imports what cron would read, at cron's own paths, and serves it. */
function jobctlCommand(name: CronName, port: number): readonly string[] {
  const paths = name === "busybox"
    ? "/var/spool/cron/crontabs"
    : "/etc/crontab /etc/cron.d /var/spool/cron/crontabs";
  const script = `cd /run
${JOBCTL} import crontab ${paths} --dialect ${name} --out imported.toml
echo "import: $?"
printf '%s\\n' 'include = ["imported.toml"]' '[store]' 'url = "memory:"' '[server]' 'port = ${port}' 'http = ""' > jobctl.toml
exec ${JOBCTL} serve --config jobctl.toml`;
  return ["/bin/sh", "-c", script];
}

/**
 * Start a daemon on a host of its own.
 *
 * @param options.folder an empty folder, removed by the caller
 * @param options.jobctlPort a free port for jobctl, which runs in place of the cron that is named;
 *   null for that cron itself
 */
export function startWorld(
  name: CronName,
  files: readonly HostFile[],
  options: { readonly folder: string; readonly jobctlPort: number | null },
): World {
  const { folder, jobctlPort } = options;
  writeHost(folder, files, [unpackCron(name)]);
  const command = jobctlPort === null ? commandOf(name) : jobctlCommand(name, jobctlPort);
  const boot = ["-m", "-p", "--fork", "--kill-child", "/bin/sh", "-c", BOOT, "boot", folder];
  const child = spawn("unshare", [...boot, ...command], {
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes) => log += String(bytes));
  }
  const exited = once(child, "exit");
  return {
    async observe() {
      const runs = join(folder, "records/runs");
      const mails = join(folder, "records/mails");
      await until(
        "nothing is being recorded",
        () =>
          ![runs, mails].flatMap((one) => readdirSync(one)).some((file) => file.endsWith(".part")),
      );
      return {
        runs: readRuns(runs),
        mails: readMails(mails),
        survivors: survivorsOf(child.pid!),
        log,
      };
    },
    async end() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function readRuns(folder: string): RecordedRun[] {
  return readdirSync(folder).sort().map((file) => {
    const [name = "", minute = ""] = file.split(".");
    const lines = readFileSync(join(folder, file), "utf8").split("\n").filter((line) =>
      line !== ""
    );
    return { name, minute, lines };
  });
}

/** Options of sendmail whose next word is their value. */
const VALUED = ["-f"];

function readMails(folder: string): string[] {
  return readdirSync(folder).sort().map((file) => {
    const whole = readFileSync(join(folder, file), "utf8");
    const end = whole.indexOf("\n\n");
    const words = whole.slice(0, end).split("\n");
    const { headers, text } = parseMail(whole.slice(end + 2));
    const named = words.filter((word, index) =>
      !word.startsWith("-") && !VALUED.includes(words[index - 1] ?? "")
    );
    const given = words.some((word) => /^-o?t/.test(word)) ? headers.get("to")! : named.join(",");
    const recipients = given.split(/,\s*/).sort().join(",");
    // The charset is that of cron's own locale.
    const [type = "text/plain"] = headers.get("content-type")?.split(";", 1) ?? [];
    return [recipients, headers.get("subject"), type, text.trimEnd()].join(" | ");
  }).sort();
}

/** The processes below one, by the command lines that are recognised, in their order. */
function survivorsOf(pid: number): string[] {
  const found: string[] = [];
  const todo = [pid];
  // What is left behind becomes a child of the world's first process.
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    try {
      todo.push(
        ...readFileSync(`/proc/${next}/task/${next}/children`, "utf8").split(" ").filter((one) =>
          one.trim() !== ""
        ).map(Number),
      );
      const line = readFileSync(`/proc/${next}/cmdline`, "utf8").split("\0").join(" ").trim();
      if (LEFT_BEHIND.test(line)) found.push(line);
    } catch {
      // It ended meanwhile.
    }
  }
  return found.sort();
}
