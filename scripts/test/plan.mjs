// Assigns tests to runtimes, and to stages that run side by side. Plain Node 20.
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ROOT } from "../tasks.mjs";

/** Parts of the manager, in memory and on a simulated clock. Tests of the whole manager also run on Deno. */
const MANAGER = readdirSync(join(ROOT, "test/manager"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory()).map(({ name }) => `test/manager/${name}`);

/**
 * Tests that would show nothing more on Deno: tests of the compiled file, of its extra commands,
 * and of scripts shipped beside it; tests that read or compile sources, or start each runtime
 * themselves; tests on simulated clocks (one compares the traces of both runtimes); faults of
 * servers, which arrive through the same few calls as ordinary responses; the shared suite on
 * stores in memory, on stores built on them, and on servers (test/store/etcd and test/store/valkey
 * try their own calls on both); texts, bytes and random steps without any call of the system; what
 * browsers run; pages of manuals; and a million instances.
 */
const BUN_ONLY = [
  "test/architecture.test.ts",
  "test/attack",
  "test/cli",
  "test/conformance/etcd.test.ts",
  "test/conformance/memory.test.ts",
  "test/conformance/my_store.test.ts",
  "test/conformance/replica.test.ts",
  "test/conformance/valkey.test.ts",
  "test/contrib",
  "test/core/text/text_bytes.test.ts",
  "test/daemon",
  "test/dashboard/flows.test.ts",
  "test/dashboard/text",
  "test/dashboard/truth.test.ts",
  "test/docs",
  "test/e2e",
  "test/exports.test.ts",
  "test/jobs/types",
  "test/layout.test.ts",
  "test/library/random_flows.test.ts",
  "test/library/types.test.ts",
  "test/maintenance/doctor",
  ...MANAGER,
  "test/notices/channels/hostile_text.test.ts",
  "test/notices/expectations/watcher.test.ts",
  "test/notices/incidents/dropped_news.test.ts",
  "test/notices/random_notices.test.ts",
  "test/notices/stories.test.ts",
  "test/programs.test.ts",
  "test/reference",
  "test/release",
  "test/rpc/messages/argument_faults.test.ts",
  "test/rpc/model/round_trip.test.ts",
  "test/selftest",
  "test/sim",
  "test/store/blocked_queue.test.ts",
  "test/store/lists_at_scale.test.ts",
  "test/store/memo_trails.test.ts",
  "test/store/model.test.ts",
  "test/store/recording_store.test.ts",
  "test/store/etcd/etcd_contention.test.ts",
  "test/store/etcd/etcd_faults.test.ts",
  "test/store/etcd/etcd_nodes.test.ts",
  "test/store/valkey/valkey_damage.test.ts",
  "test/store/valkey/valkey_failover.test.ts",
  "test/store/volume.test.ts",
  "test/supervisor/model",
  "test/tools",
  "test/wording.test.ts",
  "test/worker/output_limiter.test.ts",
  "test/worker/output_record.test.ts",
];

/** Tests that run the compiled file. */
export const COMPILED_FILE = [
  "test/attack",
  "test/dashboard/flows.test.ts",
  "test/dashboard/truth.test.ts",
  "test/e2e",
  "test/reference",
];

/**
 * Tests that wait for slow servers, or for short time limits. They run beside each other only.
 */
const WAIT_LONG = [
  "test/e2e/cron_daemons.test.ts",
  "test/e2e/faults/faults.test.ts",
  "test/e2e/stores/etcd.test.ts",
  "test/e2e/stores/valkey.test.ts",
];

/** Tests of rules for every source file. In one process, each is parsed once. */
export const OF_ALL_SOURCES = ["architecture", "exports", "layout", "programs", "wording"].map((
  name,
) => `test/${name}.test.ts`);

/** Tests of the packed library. In one process, it is packed once. */
const OF_PACKED_LIBRARY = ["test/e2e/clients_page.test.ts", "test/e2e/npm_package.test.ts"];

/** Tests that share slow preparations. Each group has a separate process. */
const TOGETHER = [OF_PACKED_LIBRARY, OF_ALL_SOURCES];

/**
 * Tests that measure time, and tests that only wait, with data in memory. They run beside each
 * other and patient tests only.
 */
const MEASURE_TIME = [
  "test/attack/clock_under_attack.test.ts",
  "test/e2e/idle.test.ts",
  "test/e2e/stores/slow_etcd.test.ts",
  "test/e2e/stores/slow_valkey.test.ts",
];

/** Seconds of the longest tests: they begin first, so that none is alone at the end. */
const SECONDS = new Map([
  ["test/dashboard/flows.test.ts", 74],
  ["test/notices/stories.test.ts", 70],
  ["test/e2e/faults/kept_commands.test.ts", 49],
  ["test/e2e/commands/guides.test.ts", 48],
  ["test/e2e/faults/crash.test.ts", 41],
  ["test/supervisor/survivors.test.ts", 39],
  ["test/e2e/faults/adopting.test.ts", 36],
  ["test/e2e/faults/taken_ports.test.ts", 34],
  ["test/dashboard/truth.test.ts", 34],
  ["test/e2e/commands/moving.test.ts", 33],
  ["test/contrib/install_attacks.test.ts", 32],
  ["test/cli/hostile_server.test.ts", 31],
  ["test/store/etcd/etcd_faults.test.ts", 31],
  ["test/contrib/install_script.test.ts", 30],
  ["test/e2e/workers.test.ts", 28],
  ["test/e2e/bench.test.ts", 26],
  ["test/e2e/faults/random_cycles.test.ts", 25],
  ["test/e2e/stores/upgrade.test.ts", 24],
  ["test/e2e/commands/top.test.ts", 23],
  ["test/e2e/faults/cluster.test.ts", 23],
  ["test/e2e/commands/selftest.test.ts", 23],
  ["test/attack/orphans.test.ts", 22],
  ["test/maintenance/doctor/doctor.test.ts", 22],
  ["test/sim/sim.test.ts", 22],
  ["test/e2e/faults/endings.test.ts", 22],
  ["test/notices/random_notices.test.ts", 22],
  ["test/e2e/release.test.ts", 20],
  ["test/conformance/etcd.test.ts", 20],
  ["test/e2e/nodes.test.ts", 20],
  ["test/attack/reload.test.ts", 20],
  ["test/e2e/npm_package.test.ts", 19],
  ["test/store/volume.test.ts", 19],
  ["test/supervisor/supervisor.test.ts", 18],
  ["test/attack/backup.test.ts", 17],
  ["test/e2e/faults/output_faults.test.ts", 16],
  ["test/e2e/faults/adoption.test.ts", 15],
  ["test/supervisor/command.test.ts", 12],
]);

/** Other long tests, except tests of the compiled file. */
const LONG = [
  ...SECONDS.keys(),
  "test/conformance",
  "test/contrib",
  "test/worker/process_executor.test.ts",
];

/**
 * Tests that always compute, independent of the system's clock. They run all along at a low
 * priority, so that they use the idle time of the others without disturbing them.
 */
const PATIENT = [
  "test/conformance/memory.test.ts",
  "test/conformance/my_store.test.ts",
  "test/conformance/replica.test.ts",
  "test/conformance/sqlite.test.ts",
  "test/e2e/release.test.ts",
  "test/library/types.test.ts",
  "test/manager/schedules/clock_faults.test.ts",
  "test/notices/expectations/watcher.test.ts",
  "test/notices/random_notices.test.ts",
  "test/notices/stories.test.ts",
  "test/sim",
  "test/store/memo_trails.test.ts",
  "test/store/model.test.ts",
  "test/supervisor/model",
  "test/tools/simulation.test.ts",
  ...OF_ALL_SOURCES,
];

/**
 * Most files of one process of Bun: few, so that the last processes end at about the same time; not
 * one, because a process loads the sources once.
 */
const BUN_FILES_MAX = 20;
/** The same for tests of the compiled file, which mostly wait for it. */
const COMPILED_FILES_MAX = 6;

/** Processes that run tests side by side: more than processors, as many tests mostly wait. */
const PROCESSES = Math.min(availableParallelism() + 3, 8);

export function isWithin(file, paths) {
  return paths.some((path) => file === path || file.startsWith(`${path}/`));
}

/** The sorted test files below `paths`; all test files if no path is given. */
export function testFiles(paths) {
  const all = readdirSync(join(ROOT, "test"), { recursive: true })
    .filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`).sort();
  const wanted = paths.map((path) => path.replace(/^\.\//, "").replace(/\/$/, ""));
  return wanted.length === 0 ? all : all.filter((file) => isWithin(file, wanted));
}

/**
 * Deno runs a module's `before` and `after` before its first and after its last test: files with
 * them need a separate module.
 */
export function needsOwnModule(file) {
  return /^(?:before|after)\(/m.test(readFileSync(join(ROOT, file), "utf8"));
}

/** True for tests that run programs of npm_programs.mjs. */
export function needsNpmPrograms(file) {
  const text = readFileSync(join(ROOT, file), "utf8");
  return /\b(?:processes\/runtimes\.ts|programs\/npm_programs\.mjs)"/.test(text);
}

/** True for tests that run programs of unpacked packages. */
export function needsUnpacked(file) {
  const text = readFileSync(join(ROOT, file), "utf8");
  return /\bcrons\/[a-z_]+\.ts"|\bunpackedFolder\b/.test(text);
}

/** Tests that run during the build: they import none of its results. */
const BEFORE_BUILD = ["test/notices/stories.test.ts", "test/sim"];

/** True for tests that may need the build. */
export function needsBuild(file) {
  return !isWithin(file, BEFORE_BUILD);
}

/** Runs of Bun: one for each long file or group, the longest first, then runs of several files. */
function bunRuns(files) {
  const groups = TOGETHER.map((group) => files.filter((file) => group.includes(file)));
  const others = files.filter((file) => !groups.flat().includes(file));
  const [long, rest] = divided(others, (file) => isWithin(file, [...LONG, ...PATIENT]));
  const [compiled, short] = divided(rest, (file) => isWithin(file, COMPILED_FILE));
  const secondsOf = (run) => run.reduce((sum, file) => sum + (SECONDS.get(file) ?? 0), 0);
  const first = [...long.map((file) => [file]), ...groups.filter((group) => group.length > 0)]
    .sort((a, b) => secondsOf(b) - secondsOf(a));
  return [...first, ...parts(compiled, COMPILED_FILES_MAX), ...parts(short, BUN_FILES_MAX)];
}

function divided(files, isFirst) {
  return [files.filter(isFirst), files.filter((file) => !isFirst(file))];
}

function parts(files, length) {
  const count = Math.ceil(files.length / length);
  return Array.from(
    { length: count },
    (_, index) => files.slice(index * length, (index + 1) * length),
  );
}

/** The files that run on a runtime: Deno skips {@link BUN_ONLY}, unless named. */
export function filesOn(runtime, files, named = []) {
  if (runtime === "bun") return files;
  return files.filter((file) => named.includes(file) || !isWithin(file, BUN_ONLY));
}

/**
 * Stages that run one after the other, and one beside them all. The runs of a stage start
 * in order, up to its limit at once.
 *
 * @param named files that always run on Deno too
 * @returns for each stage its runs (name, runtime, files, and whether they are patient) and the
 * number of processes
 */
export function planOf(files, runtimes, named = []) {
  const of = (paths) => files.filter((file) => isWithin(file, paths));
  const without = (paths) => files.filter((file) => !isWithin(file, paths));
  const bun = (name, files) => ({ runtime: "bun", name, files });
  const shared = bunRuns(without([...WAIT_LONG, ...MEASURE_TIME, ...PATIENT]));
  const patient = bunRuns(of(PATIENT)).map((files, index) => ({
    ...bun(`patient${index + 1}`, files),
    isPatient: true,
  }));
  // Two processes: one alone takes longer than all of Bun's beside it.
  const onDeno = filesOn("deno", files, named);
  const deno = [
    onDeno.filter((file) => !needsOwnModule(file)),
    onDeno.filter(needsOwnModule),
  ];
  // Tests that wait for slow servers come last, when patient tests no longer use the disk.
  const stages = [
    {
      runs: MEASURE_TIME.map((file, index) => bun(`timed${index + 1}`, of([file]))),
      processes: MEASURE_TIME.length,
    },
    {
      runs: [
        ...deno.map((files, index) => ({ runtime: "deno", name: `deno${index + 1}`, files })),
        ...shared.map((files, index) => bun(`bun${index + 1}`, files)),
      ],
      processes: PROCESSES,
    },
    {
      runs: WAIT_LONG.map((file, index) => bun(`waiting${index + 1}`, of([file]))),
      processes: WAIT_LONG.length,
    },
  ];
  const isWanted = (run) => runtimes.includes(run.runtime) && run.files.length > 0;
  const wanted = ({ runs, processes }) => ({ runs: runs.filter(isWanted), processes });
  return {
    stages: stages.map(wanted),
    beside: wanted({ runs: patient, processes: availableParallelism() }),
  };
}
