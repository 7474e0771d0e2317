import assert from "node:assert/strict";
import { CaseTime } from "../../../src/conformance/index.ts";
import { StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import type { ValkeyWorld } from "../../support/servers/valkey_world.ts";

const NODE = { at: { wallMs: 1, monotonicMs: 1 }, node: "n1" };

/** The same steps on a memory store have the same results and leave the same data. */
export async function answersAsMemory(
  valkey: ValkeyWorld,
  steps: (world: StoreWorld) => Promise<unknown>,
): Promise<void> {
  const time = new CaseTime();
  const { make } = await valkey.stores({ clock: () => time.at });
  const answers: unknown[] = [];
  for (const [store, clock] of [[make(), time], [new MemoryStore(), new CaseTime()]] as const) {
    await store.open(NODE);
    const answer = await steps(new StoreWorld(store, { store }, clock));
    const left = (await store.list({}, { limit: 100 })).items;
    const memos = await store.listMemos({ prefix: "", after: null, limit: 1_000 });
    const history = (await store.history({}, { limit: 1_000 })).items;
    answers.push({ answer, left, memos, history });
    assert.deepEqual(await store.records.findProblems({ limit: 9 }), []);
    await store.close();
  }
  assert.deepEqual(answers[0], answers[1]);
}
