import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import { fixedDifferences } from "../../src/tools/compare_projects.ts";

test("fixedDifferences() names each section that a reload cannot apply", async () => {
  const { config } = await loadConfig(null);
  const { node, log, worker, store } = config;
  const restartFor = (changed: Partial<Config>) =>
    fixedDifferences(config, { ...config, ...changed });

  assert.deepEqual(restartFor({}), []);
  assert.deepEqual(restartFor({ node: { ...node, tags: ["gpu"] } }), ["node"]);
  assert.deepEqual(restartFor({ node: { ...node, id: "a" }, log: { ...log, level: "debug" } }), [
    "log",
    "node",
  ]);
  assert.deepEqual(restartFor({ worker: { ...worker, count: worker.count + 1 } }), []);
  assert.deepEqual(restartFor({ worker: { ...worker, leaseMs: worker.leaseMs + 1 } }), ["worker"]);
  assert.deepEqual(restartFor({ store: { ...store, targets: {} } }), []);
  assert.deepEqual(restartFor({ store: { ...store, prefix: "other" } }), ["store"]);
});
