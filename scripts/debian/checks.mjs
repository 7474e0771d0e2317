// Checks of a package, from the first installation to the purge.

/** Longest time from the installation to the first run. */
const FIRST_RUN_S_MAX = 60;
/** Runs in the queue when the upgrade begins. */
const QUEUED = 60;
/** Duration of the module run that the upgrade has to wait for. */
const WAIT_S = 15;
/** Duration of the command that runs on over a restart and an upgrade. */
const LONG_S = 20;
const EXPOSURE_MAX = 2.5;
/** Answer "no" to the question of the purge. */
const KEEP_DATA = "echo jobctl jobctl/purge boolean false | debconf-set-selections";

/** Files that are not the package's: logs and caches of the system. */
const OTHERS = [
  ...["/proc", "/sys", "/dev", "/tmp", "/run", "/root", "/var/log", "/var/cache", "/var/lib/dpkg"],
  ...["/var/tmp", "/var/lib/systemd/random-seed", "/var/lib/systemd/timesync", "/etc/.pwd.lock"],
];

const LOAD = `
[jobs.tick]
run = "true"
schedule = "* * * * * *"
overlap = "allow"
misfire = "all"

[jobs.short]
run = 'echo "$JOB_UUID" >> /var/lib/jobctl/short; sleep 0.5'

[jobs.long]
run = "echo $$ > /tmp/long; sleep ${LONG_S}; test -s /tmp/long && echo ended >> /var/lib/jobctl/long"

[jobs.held]
run = "echo $$ > /var/lib/jobctl/held; sleep 600"
drain = "1s"
`;

const MODULE = `/** Waits a moment. */
export default async function module(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return process.pid;
}
`;

const WAITS = `/** Takes ${WAIT_S} seconds. */
export default async function waits(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ${WAIT_S * 1_000}));
}
`;

/** The commands of the package managers. */
const MANAGERS = {
  deb: { install: ["dpkg", "-i"], remove: ["dpkg", "--remove"] },
  rpm: {
    // Debian's rpm has no database of fulfilled dependencies.
    install: ["rpm", "-U", "--nodeps", "--replacepkgs", "--oldpackage"],
    remove: ["rpm", "-e"],
  },
};

/**
 * @param kind "deb" or "rpm"
 * @param inside runs a command in the system, see `withSystem`
 * @param options.own path of the package in the system
 * @param options.later path of the same with a higher version
 * @returns number of failed checks
 */
export async function checkPackage(kind, inside, { own, later }) {
  const world = new World(inside, MANAGERS[kind]);
  const before = world.paths();
  await checkInstall(world, own);
  checkCallers(world);
  await checkUpgrade(world, later);
  await checkStop(world);
  checkFailingStart(world, later);
  checkRemoval(world);
  if (kind === "deb") await checkPurge(world, { own, before });
  return world.failed;
}

/** The system, with the queries of the checks. */
class World {
  failed = 0;
  #inside;
  #manager;

  constructor(inside, manager) {
    this.#inside = inside;
    this.#manager = manager;
  }

  check(name, isGood, found = "") {
    console.log(`${isGood ? "ok  " : "FAIL"}  ${name}${found === "" ? "" : `: ${found}`}`);
    if (!isGood) this.failed++;
  }

  run(...command) {
    const { status, stdout, stderr } = this.#inside(...command);
    return { status, stdout, text: stdout + stderr };
  }

  sh(script) {
    return this.run("sh", "-c", script);
  }

  install(path) {
    return this.manage(...this.#manager.install, path);
  }

  remove() {
    return this.manage(...this.#manager.remove, "jobctl");
  }

  /** Run a command of a package manager without a terminal: it must succeed. */
  manage(...command) {
    const result = this.run("env", "DEBIAN_FRONTEND=noninteractive", ...command);
    if (result.status !== 0) this.check(command.join(" "), false, result.text);
    return result;
  }

  write(path, text) {
    this.run("sh", "-c", 'printf %s "$2" > "$1"', "sh", path, text);
  }

  instances(kind) {
    const { stdout } = this.run(
      ...["jobctl", "list", "instances", "--kind", kind, "--limit", "1000", "-o", "json"],
    );
    return stdout === "" ? [] : JSON.parse(stdout);
  }

  /** Wait until an instance of this kind runs. */
  runs(kind) {
    const isRunning = () => this.instances(kind).some(({ state }) => state === "processing");
    return this.until(10, isRunning);
  }

  unit(property) {
    return this.run("systemctl", "show", "jobctl", `--property=${property}`, "--value").stdout
      .trim();
  }

  /** Everything in the file system outside of {@link OTHERS}. */
  paths() {
    const pruned = OTHERS.map((path) => `-path ${path}`).join(" -o ");
    return this.sh(`find / -xdev \\( ${pruned} \\) -prune -o -print | sort`).stdout.split("\n");
  }

  /** Wait until `isTrue` returns true. */
  async until(seconds, isTrue) {
    for (const end = Date.now() + seconds * 1_000; Date.now() < end;) {
      if (isTrue()) return true;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return isTrue();
  }
}

async function checkInstall(world, own) {
  const startedAt = Date.now();
  world.check("the system has no node", world.sh("command -v node").status !== 0);
  world.install(own);
  const installedAt = Date.now();
  world.check(
    "the unit is active and enabled",
    world.unit("ActiveState") === "active" &&
      world.unit("UnitFileState") === "enabled",
    `installed in ${secondsOf(installedAt - startedAt)}`,
  );
  world.check("it was ready", /is ready/.test(world.run("journalctl", "-u", "jobctl").stdout));
  const hasRun = () => world.instances("hello").some(({ state }) => state === "completed");
  const isDone = await world.until(FIRST_RUN_S_MAX, hasRun);
  world.check(
    "the first scheduled job has run",
    isDone,
    `${secondsOf(Date.now() - startedAt)} after the installation began`,
  );
  const security = world.run("systemd-analyze", "security", "--no-pager", "jobctl").text;
  const exposure = /exposure level for \S+: (\d+\.\d+)/.exec(security)?.[1];
  world.check("the unit exposes little", Number(exposure) <= EXPOSURE_MAX, exposure);
  const user = world.sh("stat -c %U /proc/$(systemctl show jobctl -P MainPID)").stdout.trim();
  world.check("the daemon runs as its user", user === "jobctl", user);
}

function checkCallers(world) {
  world.check("root sees the state", world.run("jobctl", "status").status === 0);
  world.sh("useradd --create-home carol; useradd --create-home mallory; usermod -aG jobctl carol");
  const as = (user) => world.run("runuser", "-u", user, "--", "jobctl", "schedule", "hello");
  world.check("a member of the group may run jobs", as("carol").status === 0);
  world.check("others may not", as("mallory").status !== 0);
  world.check(
    "others cannot read the state",
    world.sh("runuser -u mallory -- ls /var/lib/jobctl").status !== 0,
  );
}

/** An upgrade with a queue, a schedule for each second, and a run that takes a while. */
async function checkUpgrade(world, later) {
  world.write("/etc/jobctl/conf.d/load.toml", LOAD);
  world.write("/etc/jobctl/jobs/module.ts", MODULE);
  world.write("/etc/jobctl/jobs/waits.ts", WAITS);
  world.sh("echo '# mine' >> /etc/jobctl/config.toml; rm /etc/jobctl/conf.d/hello.toml");
  const reload = world.run("jobctl", "reload", "--force");
  world.check("new jobs are there after a reload", reload.status === 0);
  await world.until(10, () => world.instances("tick").length > 1);
  for (const kind of ["short", "module"]) world.run("jobctl", "pause", kind);
  for (let count = 0; count < QUEUED / 2; count++) {
    world.run("jobctl", "schedule", "short");
    world.run("jobctl", "schedule", "module");
  }
  world.run("jobctl", "schedule", "long", "--priority", "0");
  await world.runs("long");
  const first = world.unit("MainPID");
  world.run("systemctl", "restart", "jobctl");
  const [held] = world.instances("long");
  world.check(
    "a restart lets a command run on",
    world.unit("MainPID") !== first && held?.state === "processing" && held.attempts === 1,
  );
  world.run("jobctl", "schedule", "waits", "--priority", "0");
  await world.runs("waits");
  for (const kind of ["short", "module"]) world.run("jobctl", "resume", kind);
  const pid = world.unit("MainPID");
  const startedAt = Date.now();
  const { text } = world.install(later);
  const said = /Stopping: .*/.exec(text)?.[0] ?? text;
  world.check(
    "the upgrade says what it waits for",
    /waiting up to .* for \d+ running/.test(said),
    said,
  );
  world.check(
    "another daemon is active",
    world.unit("ActiveState") === "active" && world.unit("MainPID") !== pid,
    `upgraded in ${secondsOf(Date.now() - startedAt)}`,
  );
  const isOver = await world.until(
    60,
    () =>
      ["short", "module", "waits", "long"].every((kind) =>
        world.instances(kind).every(({ state }) => state === "completed")
      ),
  );
  world.check("the queue is done", isOver);
  const counts = ["short", "module"].map((kind) => world.instances(kind).length);
  world.check("nothing of it was lost", counts.join() === `${QUEUED / 2},${QUEUED / 2}`);
  const once = world.sh("sort /var/lib/jobctl/short | uniq -c | awk '$1 != 1' | wc -l").stdout
    .trim();
  const [long] = world.instances("long");
  world.check("no command ran twice", once === "0", once);
  world.check(
    "the long command ended normally, after a restart and the upgrade",
    long?.attempts === 1 && world.sh("cat /var/lib/jobctl/long").stdout === "ended\n",
  );
  checkTicks(world);
  world.check(
    "changed files stay",
    world.sh("tail -1 /etc/jobctl/config.toml").stdout === "# mine\n",
  );
  world.check(
    "removed files stay removed",
    world.sh("test -e /etc/jobctl/conf.d/hello.toml").status !== 0,
  );
}

function checkTicks(world) {
  const done = world.instances("tick").filter(({ state }) => state === "completed")
    .map(({ scheduled_for: at }) => Date.parse(at) / 1_000).sort((a, b) => a - b);
  const gaps = done.slice(1).filter((at, index) => at !== done[index] + 1);
  world.check(
    "each second had its run, once",
    done.length > LONG_S && gaps.length === 0,
    `${done.length} ticks, ${gaps.length} gaps`,
  );
}

/** A stop ends the command that a restart would let run on. */
async function checkStop(world) {
  world.run("jobctl", "schedule", "held");
  await world.runs("held");
  const pid = () => world.sh("cat /var/lib/jobctl/held").stdout.trim();
  await world.until(5, () => pid() !== "");
  const held = pid();
  world.run("systemctl", "restart", "jobctl");
  const runs = () => world.sh(`test -e /proc/${held}`).status === 0;
  world.check("a restart leaves a command alone", runs());
  world.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "jobctl");
  await world.until(10, () => world.run("jobctl", "status").status === 0);
  const [instance] = world.instances("held");
  world.check("so does a crash of the daemon", runs() && instance?.attempts === 1);
  world.run("systemctl", "stop", "jobctl");
  world.check("a stop ends it", !runs());
  world.check("and everything else", world.sh("pgrep -u jobctl").status !== 0);
  world.run("systemctl", "start", "jobctl");
  const cancel = world.run("jobctl", "cancel", "instances", "--kind", "held", "--yes");
  world.check("the unit starts again", cancel.status === 0, cancel.text.trim());
}

function checkFailingStart(world, later) {
  world.sh("rm /etc/jobctl/conf.d/load.toml; echo 'nonsense = 1' >> /etc/jobctl/config.toml");
  const { text } = world.install(later);
  world.check(
    "a daemon that does not start is reported",
    /did not start/.test(text) && /nonsense/.test(text),
  );
  world.sh("sed -i '$d' /etc/jobctl/config.toml");
  world.check(
    "it starts when that is corrected",
    world.run("systemctl", "restart", "jobctl").status === 0,
  );
}

function checkRemoval(world) {
  world.remove();
  world.check("the removal stops the daemon", world.sh("pgrep -u jobctl").status !== 0);
  const isEnabled = world.run("systemctl", "is-enabled", "jobctl").status === 0;
  world.check("no unit is left", !isEnabled);
  const isKept = world.sh("test -s /var/lib/jobctl/jobctl.db && ls /etc/jobctl/config.toml*");
  world.check("data and changed configuration stay", isKept.status === 0, isKept.stdout.trim());
}

async function checkPurge(world, { own, before }) {
  world.install(own);
  const isBack = await world.until(10, () => world.instances("tick").length > LONG_S);
  world.check("a new installation has the data again", isBack);
  world.check("and runs", world.unit("ActiveState") === "active");
  world.sh(KEEP_DATA);
  world.manage("dpkg", "--purge", "jobctl");
  const isKept = world.sh("test -s /var/lib/jobctl/jobctl.db && getent passwd jobctl").status === 0;
  world.check("a purge keeps the data if that was chosen", isKept);
  world.install(own);
  world.manage("dpkg", "--purge", "jobctl");
  const isUser = world.sh("getent passwd jobctl || getent group jobctl").status === 0;
  world.check("the purge removes user and group", !isUser);
  world.check("no process is left", world.run("pgrep", "-f", "/usr/bin/jobctl").status !== 0);
  const known = new Set(before);
  const others = /^\/home|^\/etc\/(passwd|group|g?shadow|sub[ug]id)-?$|^\/var\/mail/;
  const left = world.paths().filter((path) => !known.has(path) && !others.test(path));
  world.check("no file is left", left.length === 0, left.join(" "));
  const failed = world.run("systemctl", "--failed", "--no-legend").stdout.trim();
  world.check("no unit has failed", failed === "", failed);
}

function secondsOf(ms) {
  return `${(ms / 1_000).toFixed(1)} s`;
}
