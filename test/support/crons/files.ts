import type { CronName } from "./packages.ts";
import type { HostFile } from "./world.ts";

// A host's crontabs for each daemon: what works, what it refuses, and what it reads unlike the
// others. Each command records itself, so that what ran, and how, can be compared.

const ALICE = 2001;
const BOB = 2002;
const RECORD = "/mnt/record";
const RUN_BY_EACH_CRON = ["plain", "user-alice"];

/** Runs that every comparison must have seen: without them nothing was compared. */
export const EXPECTED_RUNS: Readonly<Record<CronName, readonly string[]>> = {
  debian: [...RUN_BY_EACH_CRON, "refused-tilde-1", "zone", "percent"],
  cronie: [...RUN_BY_EACH_CRON, "refused-six-1", "quiet", "mail-option", "percent"],
  busybox: [...RUN_BY_EACH_CRON, "wraps", "step-of-one", "hash"],
};

/** A system crontab with a line of its own between two that can be read. */
function around(name: string, when: string, line: string): HostFile {
  const run = (place: number) => `${when} root ${RECORD} refused-${name}-${place}\n`;
  return { path: `etc/cron.d/${name}`, text: `${run(1)}${line}\n${run(2)}` };
}

/** Lines that Debian's cron or cronie refuses, or reads in a way of its own. */
const ODD_LINES: Readonly<Record<string, string>> = {
  six: "0 0 3 * * * root true",
  seven: "0 0 3 * * * * root true",
  number: "0 0 3 * * 1 root true",
  tilde: "0~5 3 * * * root true",
  "blank-cr": "\r",
  nickname: "@fortnightly root true",
  every: "@every_minute root true",
  backward: "0 0 * * fri-sun root true",
  never: "0 0 30 2 * root true",
  "step-only": "5/15 * * * * root true",
  "step-zero": "*/0 * * * * root true",
  "step-big": "*/90 * * * * root true",
  minute: "60 3 * * * root true",
  hash: "0 3 * * fri#2 root true",
  last: "0 3 L * * root true",
  "no-command": "0 3 * * * root",
  words: "hello world",
  "no-account": "0 3 * * * no-such-user true",
  "no-user": "0 3 * * * /bin/true now",
  quotes: 'A="x" y',
  comma: "0,,5 3 * * * root true",
  garbage: "*5 3 * * * root true",
  two: "*/5/2 3 * * * root true",
  day: "0 3 * * monday root true",
  range: "1-5x 3 * * * root true",
  upper: "@Daily root true",
};

/** Lines that write something, in all ways that decide who gets it by mail. */
function mailedLines(when: string, [root, alice]: readonly [string, string]): string {
  const other = (command: string) => `${when} ${alice}${command}\n`;
  const own = (command: string) => `${when} ${root}${command}\n`;
  return own("echo to the owner") + other("echo to alice; exit 3") + own("true") + own("exit 4") +
    "MAILTO=ops@example.com,bob\n" + other(`echo "caf\u00e9 $MAILTO"`) +
    own("printf 'no newline \\%s' x") + own("printf '\\033[1mbold\\033[0m\\n\\n.\\n  x\\ty\\n'") +
    own("cat%one%two") + own("echo killed; kill -9 $$") +
    own("head -c 1500 /dev/zero | tr '\\0' x") +
    'MAILTO="a;b"\n' + own("echo unsafe") + 'MAILTO="a b"\n' + own("echo blank") +
    'MAILTO=""\n' + own("echo nobody") + "MAILTO=bob\nMAILFROM=cron@example.com\n" +
    other("echo from cron") + 'CONTENT_TYPE="text/html; charset=UTF-8"\n' + own("echo '<b>x</b>'");
}

/** PAM gives users another umask than root, as on most hosts of Debian and Red Hat. */
function umaskFiles(): HostFile[] {
  const text = "session required pam_permit.so\nsession optional pam_umask.so\n";
  return [
    { path: "etc/pam.d/common-session-noninteractive", text },
    { path: "etc/login.defs", text: "UMASK\t\t022\nUSERGROUPS_ENAB yes\n" },
  ];
}

function vixieFiles(when: string): HostFile[] {
  const run = (name: string) => `${when} root ${RECORD} ${name}\n`;
  const file = (name: string, text: string, more: Partial<HostFile> = {}): HostFile => ({
    path: `etc/cron.d/${name}`,
    text,
    ...more,
  });
  const user = (name: string, uid: number, text: string, mode = 0o600): HostFile => ({
    path: `spool/${name}`,
    text,
    uid,
    mode,
  });
  return [
    { path: "etc/crontab", text: `# system\nSHELL=/bin/sh\n\n${run("plain")}` },
    ...umaskFiles(),
    ...Object.entries(ODD_LINES).map(([name, line]) => around(name, when, line)),
    file("dash", `-${when} root ${RECORD} quiet\n${run("after-quiet")}`),
    file("mail", `${when} root -n ${RECORD} mail-option\n`),
    file("mail-q", `${when} root -nq ${RECORD} mail-option-q\n${run("after-option")}`),
    file("mark", `\uFEFF${run("mark-1")}${run("mark-2")}`),
    file("mark-comment", `\uFEFF# comment\n${run("mark-3")}`),
    file("unended", `${run("unended-1")}${run("unended-2").trimEnd()}`),
    file("unended-env", `${run("unended-3")}A=b`),
    file("unended-comment", `${run("unended-4")}# comment`),
    file("unended-blank", `${run("unended-5")}  `),
    file("group", run("group-writable"), { mode: 0o664 }),
    file("others", run("other-writable"), { mode: 0o646 }),
    file("executable", run("executable"), { mode: 0o755 }),
    file("private", run("private"), { mode: 0o600 }),
    file("owned", run("owned"), { uid: ALICE }),
    file("dot.name", run("dot-name")),
    file("old.rpmsave", run("rpmsave")),
    file("tilde~", run("tilde-name")),
    file("#hash", run("hash-name")),
    file("under_score-1", run("under-score")),
    file(
      "environment",
      "A=1\nB = two words \nC=\" quoted \"\nD='it'\nE=\nF=x # y\nPATH=/bin:/usr/bin:/opt\n" +
        `MAILTO=\nUSER=somebody\nLOGNAME=nobody\nRANDOM_DELAY=0\n${run("environment")}A=2\n${
          run("environment-later")
        }`,
    ),
    file("mailed", mailedLines(when, ["root ", "alice "])),
    file("home", `HOME=/srv\n${run("home")}`),
    file("shell", `SHELL=/bin/bash\n${when} root [[ a == a ]] && ${RECORD} bash\n`),
    file("zone", `CRON_TZ=Asia/Tokyo\n${run("zone")}`),
    file("account", `${when} alice ${RECORD} account\n${when}\tbob \t${RECORD} account-tabs\n`),
    file(
      "percent",
      `${when} root ${RECORD} percent%one%two\\%x%%four\n` +
        `${when} root ${RECORD} percent-escaped$(printf "\\%s" x)\n` +
        `${when} root ${RECORD} percent-end %\n` +
        `${when} root ${RECORD} percent-pair-\\\\\\\\%in\\\\%put\n`,
    ),
    file(
      "background",
      `${when} root (sleep 9001; true) & setsid sleep 9002 & nohup sleep 9003 >/dev/null 2>&1 &\n` +
        `${when} alice ${RECORD} background; sleep 9004 & exit 3\n` +
        `${when} root (setsid sh -c 'sleep 9005 & exec sleep 9006' &)\n`,
    ),
    user("alice", ALICE, `X=y\n${when} ${RECORD} user-alice\n\t ${when}  ${RECORD} user-blanks\n`),
    user("bob", BOB, `-${when} ${RECORD} user-quiet\n${when} ${RECORD} user-bob\n`),
    user(
      "root",
      0,
      `${when} ${RECORD} user-root\n0 0 3 * * * true\n${when} ${RECORD} user-root-2\n`,
    ),
    user("games", 0, `${when} ${RECORD} owned-by-root\n`),
    user("nobody-else", 0, `${when} ${RECORD} no-account\n`),
    user("daemon", 1, `${when} ${RECORD} mode-644\n`, 0o644),
    user("bin", 2, `${when} ${RECORD} mode-666\n`, 0o666),
  ];
}

/** Schedules that say something within the hour of `at`, for system crontabs. */
function timedFiles(at: Date): HostFile[] {
  const minute = at.getMinutes();
  const hour = at.getHours();
  const month = at.getMonth() + 1;
  const weekday = at.getDay();
  const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  const minutes = [1, 2, 3].map((more) => (minute + more) % 60);
  const lines: Readonly<Record<string, string>> = {
    each: "* * * * *",
    two: "*/2 * * * *",
    odd: "1-59/2 * * * *",
    list: `${minutes[0]},${minutes[2]} * * * *`,
    one: `${minutes[1]} * * * *`,
    hours: `* ${hour}-${Math.min(23, hour + 1)},${(hour + 1) % 24} * * *`,
    "other-hour": `* ${(hour + 3) % 24} * * *`,
    "day-or-weekday": `* * ${at.getDate()} * ${weekdays[(weekday + 2) % 7]}`,
    "day-and-star": `* * */1 * ${weekdays[(weekday + 2) % 7]}`,
    "weekday-name": `* * * * ${weekdays[weekday]!.toUpperCase()}`,
    "weekday-7": `* * * * ${weekday === 0 ? 7 : weekday}`,
    "month-list": `* * * ${month},${month % 12 + 1} *`,
    "other-month": `* * * ${month % 12 + 1} *`,
    "backward-week": "* * * * fri-mon",
    "backward-minutes": "50-10 * * * *",
  };
  const text = Object.entries(lines).map(([name, when]) => `${when} root ${RECORD} time-${name}\n`);
  return [{ path: "etc/cron.d/times", text: text.join("") }];
}

function busyboxFiles(at: Date): HostFile[] {
  const minute = at.getMinutes();
  const date = at.getDate();
  const next = (minute + 2) % 60;
  const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  const weekday = at.getDay();
  const today = weekdays[weekday]!;
  const later = weekdays[(weekday + 2) % 7]!;
  const lines: readonly (readonly [name: string, when: string])[] = [
    ["plain", "* * * * *"],
    ["even", "*/2 * * * *"],
    ["step-of-one", `${next}/2 * * * *`],
    ["wraps", `${(minute + 59) % 60}-${(minute + 58) % 60} * * * *`],
    ["wraps-short", `${next}-${(next + 50) % 60} * * * *`],
    ["week-wraps", `* * * * ${today}-${weekdays[(weekday + 5) % 7]}`],
    ["seven", "* * * * 7"],
    ["out-of-range", "99 * * * *"],
    ["tilde", "0~59 * * * *"],
    ["day-or-weekday", `* * ${date} * ${later}`],
    ["other-weekday", `* * * * ${later}`],
    ["even-days", "* * */2 * *"],
    ["even-days-or", `* * */2 * ${later}`],
    ["thirds-or", `* * */3 * ${later}`],
    ["long-name", `* * * * ${today}day`],
    ["months", "* * * jan-dec *"],
  ];
  const text = lines.map(([name, when]) => `${when} /mnt/record ${name}\n`).join("");
  const each = (command: string) => `* * * * * ${command}\n`;
  return [
    {
      path: "spool/root",
      text: `# root's\nFOO=bar\nHOME=/srv\nCRON_TZ=Asia/Tokyo\n${text}` +
        each("/mnt/record hash # not an argument") +
        each("/mnt/record percent-$(date +%H | wc -l)") +
        each("* /mnt/record six") + `-${each("/mnt/record quiet")}hello world\n` +
        each("(sleep 9001; true) & setsid sleep 9002 & nohup sleep 9003 >/dev/null 2>&1 &") +
        each("/mnt/record long; sleep 100") + each("echo to nobody") +
        "MAILTO=ops@example.com,bob\n" + each("echo first; exit 3") + each("true") +
        "MAILTO=bob and others\n" + each("printf 'no newline'") +
        "MAILTO=\n" + each("echo to nobody again") + each("/mnt/record unended").trimEnd(),
    },
    { path: "spool/alice", text: `SHELL=/bin/dash\n${each("/mnt/record user-alice")}` },
    { path: "spool/bob", text: each("/mnt/record owned-by-bob"), uid: BOB },
    { path: "spool/games", text: each("/mnt/record mode-666"), mode: 0o666 },
    { path: "spool/daemon.old", text: each("/mnt/record dot-name") },
    { path: "spool/bin", text: `\uFEFF${each("/mnt/record mark-1")}${each("/mnt/record mark-2")}` },
    { path: "spool/nobody-else", text: each("/mnt/record no-account") },
    { path: "etc/crontab", text: each("root /mnt/record system") },
    { path: "etc/cron.d/a", text: each("root /mnt/record system-d") },
  ];
}

/**
 * The crontabs of a host.
 *
 * @param at when they are run; null for commands that run at the start of the daemon, which busybox
 *   of Debian cannot
 */
export function hostFiles(name: CronName, at: Date | null): readonly HostFile[] {
  if (at === null) return vixieFiles("@reboot");
  if (name === "busybox") return busyboxFiles(at);
  return [...vixieFiles("* * * * *"), ...timedFiles(at)];
}
