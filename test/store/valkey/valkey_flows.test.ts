import assert from "node:assert/strict";
import test, { after } from "node:test";
import {
  completed,
  failed,
  LEASE_MS,
  retry,
  type StoreWorld,
} from "../../../src/conformance/world/store_world.ts";
import {
  type OpenChildren,
  openKey,
  SIGNALS_MAX,
  stepMemoKey,
  type StepPut,
  UNDO_KEY,
  UNDONE_KEY,
  type Wait,
} from "../../../src/core/wait.ts";
import type { Instance } from "../../../src/core/instance.ts";
import type { NewInstance, Settlement, SignalRequest } from "../../../src/store/store.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { ValkeyWorld } from "../../support/servers/valkey_world.ts";
import { answersAsMemory } from "./memory_twin.ts";

// Steps, waits and outcomes of children are written by Lua as the ledger writes them, to the
// character: each test does the same with the memory store.

const valkey = new ValkeyWorld();
after(() => valkey.close());

/** Names and texts that JSON escapes, or that look like a part of it. */
const TEXTS = [
  ...[
    "a",
    "b/1",
    '":1,',
    "x,",
    ":foo",
    'a":1,b',
    "\\",
    '\\"',
    "\x01\x1f\x7f\b\f\n",
    "ä\u{1f600}\u2028",
  ],
];
const KEYS = ["call:a", "all:b", "signal/a/1", ...TEXTS];

const time = (until: number | null): Wait => ({ key: null, type: "time", name: "t", until });
const waitFor = (key: string, until: number | null = null): Wait => (
  { key, type: "signal", name: key, until }
);

async function signal(world: StoreWorld, given: Partial<SignalRequest>) {
  const request = { to: { id: "" }, name: "a", data: "1", signalId: null, ...given };
  return (await world.store.signal({ at: world.at, signals: [request] })).value;
}

test("signals are numbered by names with any characters", async () => {
  await answersAsMemory(valkey, async (world) => {
    const running = await world.start();
    const answers: unknown[] = [];
    for (const name of [...TEXTS, ...TEXTS, ...TEXTS.toReversed()]) {
      answers.push(
        await signal(world, { to: { id: running.id }, name, signalId: `${answers.length}` }),
      );
    }
    const data = await world.store.listMemos({
      ...{ prefix: stepMemoKey(running.id, "signals"), after: null, limit: 9 },
    });
    assert.deepEqual(
      Object.values(JSON.parse(data[0]!.data) as object),
      TEXTS.map(() => 3),
    );
    return answers;
  });
});

test("an instance takes no more signals than the most", async () => {
  await answersAsMemory(valkey, async (world) => {
    const { id } = await world.addOne();
    const one = { to: { id }, name: "a", data: "1", signalId: null };
    const others = Array.from({ length: 500 }, () => ({ ...one, name: "b" }));
    for (let count = 0; count < SIGNALS_MAX; count += 500) {
      await world.store.signal({ at: world.at, signals: others });
    }
    const full = await signal(world, one);
    assert.equal(full[0]!.status, "full");
    return full;
  });
});

test("the outcome of a child has the same words for every end", async () => {
  const deadlines = [0, 951_782_400_000, 1_709_164_799_999, 4_107_542_400_000, 253_402_300_800_000];
  await answersAsMemory(valkey, async (world) => {
    const parent = await world.start({ keepFailureMs: 1e12 });
    const error = { name: '"E"', message: "\\\n\u{1f600}/", stack: "at x" };
    const ends: readonly Settlement["outcome"][] = [
      completed(JSON.stringify(TEXTS)),
      completed(null),
      { ...failed(), type: "final", error } as Settlement["outcome"],
      { type: "crash", dueAt: world.wallMs, error },
    ];
    for (const [index, outcome] of ends.entries()) {
      await world.add({
        ...{ kind: "child", parentId: parent.id, parentStep: `step ${index}`, crashesMax: 0 },
      });
      const [child] = await world.claim(1, ["child"]);
      await world.settle(child!, { outcome });
    }
    for (const deadlineAt of deadlines) {
      await world.add({
        ...{ kind: "child", parentId: parent.id, parentStep: `late ${deadlineAt}`, deadlineAt },
      });
      world.wallMs = Math.max(world.wallMs, deadlineAt);
      await world.reap(1);
    }
    const memos = await world.store.listMemos({
      ...{ prefix: stepMemoKey(parent.id, ""), after: null, limit: 99 },
    });
    assert.equal(memos.length, ends.length + deadlines.length);
    return memos;
  });
});

/** Draws requests, the same from the same seed. */
class Draw {
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  below(count: number): number {
    const [high, low] = this.#random.bytes(2);
    return ((high! << 8) | low!) % count;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

function newInstance(world: StoreWorld, draw: Draw, ids: readonly string[]): NewInstance {
  const parentId = ids.length > 0 && draw.below(2) === 0 ? draw.of(ids) : null;
  const uniqueKey = draw.below(4) === 0 ? draw.of(["u1", "u2"]) : null;
  return world.newInstance({
    kind: draw.of(["mail", "render"]),
    dueAt: world.wallMs + draw.of([0, 0, 0, 2_000]),
    uniqueKey,
    unique: { forMs: null, onConflict: uniqueKey === "u1" ? "keep" : "replace" },
    deadlineAt: draw.below(5) === 0 ? world.wallMs + draw.of([1_000, 30_000]) : null,
    retryMax: 3,
    crashesMax: draw.below(2),
    keepSuccessMs: 5_000,
    keepFailureMs: 10_000,
    ...draw.below(3) === 0 ? { queueKey: "q" } : {},
    ...parentId === null
      ? {}
      : { parentId, parentStep: draw.of(["call:a", "all:b/0", "all:b/1", "all:b/2"]) },
  });
}

function drawSteps(draw: Draw): readonly StepPut[] {
  return Array.from({ length: draw.below(3) }, () => {
    if (draw.below(3) === 0) {
      const open = draw.of([1, 2, 3]);
      const count: OpenChildren = {
        ...{ open, total: open, failed: 0, isFast: draw.below(2) === 0 },
        ...draw.below(2) === 0 ? { failuresMax: draw.below(2) } : {},
      };
      return { key: openKey("all:b"), data: JSON.stringify(count), isNew: draw.below(2) === 0 };
    }
    if (draw.below(3) === 0) return { key: draw.of([UNDO_KEY, UNDO_KEY, UNDONE_KEY]), data: "{}" };
    return { key: draw.of(KEYS), data: JSON.stringify(draw.of(TEXTS)), isNew: draw.below(2) === 0 };
  });
}

function drawOutcome(world: StoreWorld, draw: Draw): Settlement["outcome"] {
  const dueAt = world.wallMs + draw.of([0, 1_000]);
  const times = [null, null, world.wallMs, world.wallMs + 3_000];
  const waits = Array.from(
    { length: 1 + draw.below(3) },
    () => draw.below(4) === 0 ? time(draw.of(times)) : waitFor(draw.of(KEYS), draw.of(times)),
  );
  return draw.of<Settlement["outcome"]>([
    ...Array.from({ length: 5 }, () => ({ type: "park", waits } as const)),
    completed(),
    failed(),
    retry(dueAt),
    { type: "crash", dueAt, error: { name: "Error", message: "gone" } },
    { type: "snooze", dueAt },
    { type: "release", dueAt },
    { type: "release", dueAt, isUnstarted: true },
  ]);
}

/** Stores take instances back in different orders. */
function byId(instances: readonly Instance[]): readonly Instance[] {
  return instances.toSorted((left, right) => left.id < right.id ? -1 : 1);
}

/** A turn of several requests, some of which share a call. */
async function turn(world: StoreWorld, draw: Draw, known: { ids: string[]; claims: Instance[] }) {
  const { store, at } = world;
  const requests: Promise<unknown>[] = [];
  const ids = known.ids.slice(-12);
  for (let left = 1 + draw.below(3); left > 0; left--) {
    const action = draw.below(12);
    const claim = known.claims.length === 0 ? null : draw.of(known.claims.slice(-6));
    if (action < 2) {
      const instances = Array.from(
        { length: 1 + draw.below(3) },
        () => newInstance(world, draw, ids),
      );
      known.ids.push(...instances.map(({ id }) => id));
      requests.push(store.enqueue({ at, instances }));
    } else if (action < 5) {
      const kinds = new Set(draw.of([["mail"], ["render"], ["mail", "render"]]));
      const request = { at, node: "n1", kinds, limit: 1 + draw.below(4), leaseMs: LEASE_MS };
      requests.push(
        store.claim(request).then((committed) => {
          known.claims.push(...committed.value);
          return committed;
        }),
      );
    } else if (action < 9 && claim !== null) {
      const settlements = [claim, ...known.claims.slice(-draw.below(3))].map(({ id, fence }) => ({
        ...{ id, fence, logs: [], outcome: drawOutcome(world, draw) },
        ...draw.below(3) === 0 ? { steps: drawSteps(draw) } : {},
        ...draw.below(5) === 0 ? { endedAgoMs: 10 } : {},
        ...draw.below(5) === 0 ? { usage: { cpuMs: 1, maxRssBytes: 2 } } : {},
      }));
      requests.push(store.settle({ at, node: "n1", settlements }));
    } else if (action === 9 && claim !== null) {
      const { id, fence } = claim;
      requests.push(store.putSteps({ at, puts: [{ id, fence, steps: drawSteps(draw) }] }));
    } else if (action === 10 && ids.length > 0) {
      const to = draw.below(4) === 0 ? { uniqueKey: draw.of(["u1", "u2"]) } : { id: draw.of(ids) };
      const signalId = draw.below(3) === 0 ? draw.of(TEXTS) : null;
      requests.push(
        store.signal({ at, signals: [{ to, name: draw.of(TEXTS), data: "1", signalId }] }),
      );
    } else if (action === 11 && ids.length > 0) {
      requests.push(
        draw.below(3) > 0
          ? store.reap({ at, limit: 99 }).then(({ value }) => ({ value: byId(value) }))
          : draw.below(2) === 0
          ? store.cancel({ at, query: { ids: [draw.of(ids)] }, limit: 9 })
          : store.retain({ at, limit: 99 }).then(({ value }) => ({ value: value.toSorted() })),
      );
    }
  }
  const answers = await Promise.allSettled(requests);
  return answers.map((answer) =>
    answer.status === "rejected"
      ? String(answer.reason)
      : (answer.value as { value: unknown }).value
  );
}

test("drawn turns of claims, waits, signals, children and ends have the same answers", async () => {
  const trails = Number(process.env["FLOW_TRAILS"] ?? 5);
  for (let seed = 1; seed <= trails; seed++) {
    await answersAsMemory(valkey, async (world) => {
      const draw = new Draw(seed);
      const known = { ids: [], claims: [] };
      const answers: unknown[] = [];
      for (let count = 0; count < 150; count++) {
        answers.push(await turn(world, draw, known));
        world.advance(draw.of([0, 0, 100, 1_000, LEASE_MS]));
      }
      return { seed, answers };
    });
  }
});
