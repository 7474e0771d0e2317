import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { StoreWorld } from "../../src/conformance/world/store_world.ts";
import { isJobError } from "../../src/core/errors.ts";
import { STORE_DEFAULTS } from "../../src/core/settings/store_config.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { selftest } from "../../src/selftest/selftest.ts";
import { createStore } from "../../src/store/opening/open_store.ts";
import { withTempDir } from "../support/temp_dir.ts";

const EXAMPLE = readFileSync(new URL("../../examples/my-store.ts", import.meta.url), "utf8");
const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };

/**
 * A self-test of a module in a folder, beside a store of that module with one instance, which must
 * not change.
 */
async function selftestOf(folder: string) {
  const path = join(folder, "my-store.ts");
  const config = { ...STORE_DEFAULTS, address: { type: "module", path }, url: path } as const;
  const world = new StoreWorld(createStore(config, parts));
  ({ wallMs: world.wallMs, monotonicMs: world.monotonicMs } = systemClock.now());
  await world.store.open({ at: world.at, node: "n1" });
  const { id } = await world.addOne();
  await world.store.close();
  const files = readdirSync(folder);
  const seen: string[] = [];
  const progress = (text: string) => void seen.push(text);
  try {
    return await selftest({ ...parts, config, measureMs: 20, progress });
  } finally {
    await world.store.open({ at: systemClock.now(), node: "n1", isMaintenance: true });
    assert.equal((await world.store.get(id))?.state, "scheduled");
    await world.store.close();
    assert.deepEqual(readdirSync(folder), files);
  }
}

test("selftest refuses a module that makes one store whatever it is given, and writes nothing to it", () =>
  withTempDir({}, async ({ path }) => {
    const own = JSON.stringify(path);
    const source = EXAMPLE.replace("({ directory }: StoreContext)", "(_: StoreContext)")
      .replace("join(directory,", `join(${own},`);
    writeFileSync(join(path, "my-store.ts"), source);
    await assert.rejects(selftestOf(path), (error) => {
      assert.ok(isJobError(error, "invalid_config"));
      assert.match(error.message, /creates the same store for every prefix/);
      return true;
    });
  }));

test("selftest of a module works in a scratch folder, and names what it breaks: rows that stay", () =>
  withTempDir({}, async ({ path }) => {
    const source = EXAMPLE.replace(
      /export default .*\n/,
      `
class Forgetful extends LogFile {
  override commit(commit: MediumCommit) {
    return super.commit({ ...commit, deletes: [] });
  }
}
export default ({ directory }: StoreContext) => new Forgetful(join(directory, "jobs.log"));
`,
    );
    writeFileSync(join(path, "my-store.ts"), source);
    const { isGood, verdicts } = await selftestOf(path);
    assert.equal(isGood, false);
    const broken = verdicts.filter(({ failures }) => failures.length > 0);
    const names = broken.flatMap(({ failures }) => failures.map(({ name }) => name)).join("\n");
    assert.match(names, /^setMark\(\) moved refuses every write/m);
    assert.ok(verdicts.length - broken.length > 8, names);
  }));
