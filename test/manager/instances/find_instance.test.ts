import assert from "node:assert/strict";
import test from "node:test";
import { plainInstance } from "../../../src/conformance/world/plain_instance.ts";
import { isJobError } from "../../../src/core/errors.ts";
import type { Instance } from "../../../src/core/instance.ts";
import { findInstance, type InstancePlace } from "../../../src/manager/instances/find_instance.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const [ONE, OTHER] = [
  {
    ...plainInstance({ id: "01a20ec9-4c4a-7000-9e94-b92c64a87e2f", dueAt: NOW }),
    state: "scheduled",
    createdAt: NOW - 7_200_000,
  } as Instance,
  {
    ...plainInstance({ id: "01a20ec9-4cb3-7000-a26b-53e02da87e2f", dueAt: NOW, kind: "report" }),
    state: "timedOut",
    createdAt: NOW - 60_000,
  } as Instance,
];

/** A store with these instances, and the methods that were called. */
function place(kinds?: readonly string[], all: readonly Instance[] = [ONE, OTHER]) {
  const calls: string[] = [];
  const store: InstancePlace["store"] = {
    get: (id) => Promise.resolve(all.find((instance) => instance.id === id) ?? null),
    findIds: ({ part, limit, enough }) => {
      calls.push(`findIds ${enough ?? "all"}`);
      const ids = all.map(({ id }) => id).filter((id) => id.includes(part));
      return Promise.resolve(ids.slice(0, limit));
    },
    list: (query, { limit }) => {
      calls.push("list");
      const items = all.filter(({ id, kind }) =>
        (query.ids?.includes(id) ?? id.startsWith(query.idPrefix!)) &&
        (query.kinds?.includes(kind) ?? true)
      );
      return Promise.resolve({ items: items.slice(0, limit), nextToken: null });
    },
  };
  return { store, clock: new SimClock(NOW), kinds, calls };
}

test("findInstance() finds an instance by any part of its id that no other has", async () => {
  for (const part of [ONE.id, "4C4A", "c64a87e2f", "9e94-b92c", "01a20ec9-4c4a"]) {
    assert.equal((await findInstance(part, place())).id, ONE.id, part);
  }
});

test("findInstance() compares a part with every id, unless it is long and need not be", async () => {
  const compared = async (part: string, isQuick?: boolean) => {
    const world = place();
    await findInstance(part, { ...world, ...(isQuick === undefined ? {} : { isQuick }) });
    return world.calls[0];
  };
  assert.equal(await compared("c64a87e2f"), "findIds all");
  assert.equal(await compared("c64a87e2f", false), "findIds all");
  assert.equal(await compared("4a87e2f", true), "findIds all");
  assert.equal(await compared("64a87e2f", true), "findIds 100000");
});

test("findInstance() reads the index of ids for a beginning that can be nothing else", async () => {
  const world = place();
  await findInstance("01a20ec9-4c4", world);
  assert.deepEqual(world.calls, ["list"]);
});

test("findInstance() lists those that have the part, with kind, state and age", async () => {
  for (const part of ["a87e2f", "01a20ec9-4c"]) {
    await assert.rejects(findInstance(part, place()), (error) => {
      assert.ok(isJobError(error, "invalid_argument"));
      assert.deepEqual(error.hint?.split("\n"), [
        "Give more of the id of one of these:",
        `${ONE.id}  mail  waiting  2h ago`,
        `${OTHER.id}  report  failed  1m ago`,
      ]);
      return true;
    });
  }
});

test("findInstance() of some kinds sees no other", async () => {
  assert.equal((await findInstance("a87e2f", place(["report"]))).id, OTHER.id);
  for (const id of [OTHER.id, "53e02da87e2f", "01a20ec9-4cb3"]) {
    await assert.rejects(
      findInstance(id, place(["mail"])),
      (error) => isJobError(error, "not_found"),
    );
  }
});

test("findInstance() finds nothing by a text that is no part of an id", async () => {
  for (const part of ["", "4c4", "xyzw", "%%%%", `${ONE.id}0`]) {
    const world = place();
    await assert.rejects(findInstance(part, world), (error) => isJobError(error, "not_found"));
    assert.deepEqual(world.calls, [], part);
  }
});

test("findInstance() gives up a search that takes too long, and says what is found at once", async () => {
  const world = place();
  const { clock } = world;
  const endless = { ...world.store, findIds: () => new Promise<never>(() => {}) };
  const found = findInstance("4c4a", { ...world, store: endless });
  const refused = assert.rejects(found, (error) => {
    assert.ok(isJobError(error, "timeout"));
    assert.match(error.hint ?? "", /whole id, or its beginning with the first dash/);
    return true;
  });
  await clock.advance(3_500);
  await refused;
});

test("findInstance() names what it has found, but does not take it, if others may have the part", async () => {
  const world = place();
  const findIds: InstancePlace["store"]["findIds"] = ({ signal }) =>
    new Promise((resolve) => signal!.addEventListener("abort", () => resolve([ONE.id])));
  const found = findInstance("4c4a", { ...world, store: { ...world.store, findIds } });
  const refused = assert.rejects(found, (error) => {
    assert.ok(isJobError(error, "timeout"));
    assert.match(error.message, /"4c4a": not all ids were compared in 3000 ms/);
    const line = `Give the whole id, if it is this one:\n${ONE.id}  mail  waiting  2h ago`;
    assert.equal(error.hint, line);
    return true;
  });
  await world.clock.advance(3_000);
  await refused;
});
