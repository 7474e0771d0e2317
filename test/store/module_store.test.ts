import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { LogFile } from "../../examples/my-store.ts";
import { isJobError } from "../../src/core/errors.ts";
import { Manager, replicaStore, resultsOf } from "../../src/index.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { createLazyStore } from "../../src/store/lazy_store.ts";
import { loadModuleStore } from "../../src/store/module/create.ts";
import { Replicas } from "../support/servers/replicas.ts";
import { withTempDir } from "../support/temp_dir.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/my-store.ts", import.meta.url));
const REQUEST = { at: { wallMs: 1_000, monotonicMs: 1 }, node: "n1" };
const MEDIUM =
  `type: "mine", location: "here", isDurable: true, load() {}, version() {}, close() {},`;

function storeOf(path: string) {
  const parts = { clock: systemClock, random: seededRandom(1) };
  const config = { path, url: "./store.ts", prefix: "jobctl" };
  return createLazyStore(() => loadModuleStore(config, parts));
}

/** Modules that are not stores, each with its message. */
const BROKEN: readonly (readonly [source: string | null, said: RegExp])[] = [
  [null, /there is no file .*store\.ts$/],
  ["export const x = 1;", /it has no default export$/],
  ["export default 42;", /number "42" is not a ReplicaMedium$/],
  ["export default {};", /an object with no members is not a ReplicaMedium$/],
  ["export default () => null;", /null is not a ReplicaMedium$/],
  ['export default () => { throw new Error("boom"); };', /its function failed: boom$/],
  ['throw new Error("early");', /loading it failed: early$/],
  [`export default { ${MEDIUM} commit() {} };`, /an incomplete ReplicaMedium: watch missing$/],
  [
    "export default { open() {}, close() {}, version() {}, enqueue() {}, claim() {} };",
    /store "\.\/store\.ts": it is a whole Store, and jobctl makes stores itself, over a medium$/,
  ],
];

for (const [source, said] of BROKEN) {
  test(`a module store is refused by name when its module is ${source ?? "not there"}`, async () => {
    await withTempDir({}, async (dir) => {
      const path = join(dir.path, "store.ts");
      if (source !== null) writeFileSync(path, source);
      await assert.rejects(storeOf(path).open(REQUEST), (error) => {
        assert.ok(isJobError(error, "invalid_config"));
        assert.match(error.message, said);
        assert.match(error.hint!, /^Export a medium with load, version, commit, watch, close: /);
        return true;
      });
    });
  });
}

test("a module's medium that returns a wrong value is named with what was expected", async () => {
  await withTempDir({}, async (dir) => {
    const path = join(dir.path, "store.ts");
    writeFileSync(path, `export default { ${MEDIUM} commit() {}, watch() {} };`);
    await assert.rejects(storeOf(path).open(REQUEST), (error) => {
      assert.ok(isJobError(error, "unavailable"));
      assert.match(error.message, /load\(\) returned undefined, expected \{ version/);
      return true;
    });
  });
});

test("a module's medium whose watch cannot be stopped is refused at the opening", async () => {
  const source = `export default {
    type: "mine", location: "here", isDurable: true,
    load: async () => ({ version: 0, pairs: (async function* () {})() }),
    version: async () => 0, commit: async () => true, watch() {}, close: async () => {},
  };`;
  await withTempDir({ "store.ts": source }, async ({ path }) => {
    await assert.rejects(storeOf(join(path, "store.ts")).open(REQUEST), (error) => {
      assert.ok(isJobError(error, "unavailable"));
      assert.match(
        error.message,
        /watch\(\) returned undefined, expected a function that stops it/,
      );
      return true;
    });
  });
});

test("the example runs jobs, and has them after it was closed", async () => {
  await withTempDir({}, async (dir) => {
    copyFileSync(EXAMPLE, join(dir.path, "my-store.ts"));
    const run = async (use: (manager: Manager) => Promise<void>) => {
      const manager = new Manager({ store: join(dir.path, "my-store.ts") });
      manager.registerJob({
        kind: "sum",
        params: "x: number, y: number",
        run: (x: number, y: number) => x + y,
      });
      await manager.start();
      try {
        await use(manager);
      } finally {
        await manager.stop();
      }
    };
    let id = "";
    await run(async (manager) => {
      const instance = await manager.scheduleJob("sum", { arguments: ["42", "58"] });
      id = instance.id;
      assert.deepEqual(resultsOf(await manager.wait(instance)), [100]);
    });
    await run(async (manager) => {
      assert.equal((await manager.getInstance(id))?.state, "completed");
    });
    assert.ok(!existsSync(join(dir.path, "jobs.log.lock")));
  });
});

test("the example drops a line that a crash cut short, and keeps those before it", async () => {
  await withTempDir({}, async (dir) => {
    const path = join(dir.path, "jobs.log");
    const world = new Replicas(systemClock);
    const open = async () => {
      const store = replicaStore(new LogFile(path));
      await store.open({ at: systemClock.now(), node: "n1" });
      return store;
    };
    const first = await open();
    const instances = [world.newInstance()];
    await first.enqueue({ at: systemClock.now(), instances });
    await first.close();
    writeFileSync(path, readFileSync(path, "utf8") + '{"version":9,"puts":[["i/00');
    const second = await open();
    const { items } = await second.list({}, { limit: 10 });
    assert.deepEqual(items.map(({ id }) => id), instances.map(({ id }) => id));
    await second.close();
  });
});

test("the example is written anew when most of it no longer counts", async () => {
  await withTempDir({}, async (dir) => {
    const path = join(dir.path, "jobs.log");
    const medium = new LogFile(path);
    await medium.open();
    for (let version = 1; version <= 1_100; version++) {
      const puts = [["key", `${version}`]] as const;
      assert.ok(await medium.commit({ expected: version - 1, next: version, puts, deletes: [] }));
    }
    assert.ok(!await medium.commit({ expected: 1_099, next: 1_100, puts: [], deletes: [] }));
    await medium.close();
    await medium.open();
    const { version, pairs } = await medium.load();
    assert.equal(version, 1_100);
    for await (const part of pairs) assert.deepEqual(part, [["key", "1100"]]);
    assert.equal(readFileSync(path, "utf8").split("\n").length, 2);
    await medium.close();
  });
});

test("the example is refused while another process has it, and taken from one that is gone", async () => {
  await withTempDir({}, async (dir) => {
    const path = join(dir.path, "jobs.log");
    const gone = spawnSync(process.execPath, ["--version"]).pid;
    writeFileSync(`${path}.lock`, String(process.ppid));
    const store = replicaStore(new LogFile(path));
    await assert.rejects(store.open(REQUEST), (error) => {
      assert.ok(isJobError(error, "conflict"));
      assert.match(error.message, new RegExp(`process ${process.ppid} has it`));
      return true;
    });
    writeFileSync(`${path}.lock`, String(gone));
    await store.open(REQUEST);
    await store.close();
  });
});
