import assert from "node:assert/strict";
import { test } from "node:test";
import { AdoptionWorld, BEGIN_MS, type Event, LEASE_MS } from "./adoption_world.ts";
import type { Plant } from "./sim_supervisors.ts";
import { seededRandom } from "../../support/seeded_random.ts";

// All orders of what can happen while a daemon adopts commands, with the manager and the daemon's
// side of supervisors as they are, and processes and time that are simulated.

const EVENTS: readonly Event[] = [
  "adopt",
  "timer",
  "cancel",
  "command exits",
  "supervisor exits",
  "daemon exits",
  "connection lost",
];

/** Time between two events: in one turn, within an adoption, behind it, beyond a lease. */
const GAPS_MS = [0, 1, 2, 5, 150, LEASE_MS + 1_500];

/** Why a command may be lost. */
const REASONS: readonly Event[] = ["supervisor exits", "connection lost"];

interface Story {
  readonly events: readonly Event[];
  /** Time before each event. */
  readonly gapsMs: readonly number[];
  readonly plant?: Plant;
}

function permutations<T>(all: readonly T[]): readonly (readonly T[])[] {
  if (all.length <= 1) return [all];
  return all.flatMap((first, index) => {
    return permutations(all.toSpliced(index, 1)).map((rest) => [first, ...rest]);
  });
}

/** Play a story. @returns what did not hold */
async function play({ events, gapsMs, plant }: Story): Promise<readonly string[]> {
  const timesMs = events.map((_, index) => {
    return BEGIN_MS + gapsMs.slice(0, index + 1).reduce((sum, ms) => sum + ms, 0);
  });
  // Commands begin a few milliseconds after they were accepted, at 20 ms.
  const timeOf = (event: Event, begunMs: number) => {
    const index = events.indexOf(event);
    return index < 0 ? 9_000 : Math.max(1, timesMs[index]! - begunMs);
  };
  const world = new AdoptionWorld({
    timeoutMs: timeOf("timer", 25),
    shortMs: timeOf("command exits", 25),
    ...(plant === undefined ? {} : { plant }),
  });
  await world.begin();
  for (const [index, event] of events.entries()) {
    if (gapsMs[index]! > 0) await world.clock.advance(gapsMs[index]!);
    world.do(event);
  }
  await world.finish();
  const mayLose = REASONS.some((reason) => events.includes(reason)) ||
    gapsMs.some((gapMs) => gapMs > LEASE_MS / 2);
  if (world.losses > 0 && !mayLose) world.violations.push(`${world.losses} lost without a reason`);
  return world.violations;
}

function describe({ events, gapsMs }: Story): string {
  return events.map((event, index) => `+${gapsMs[index]} ms ${event}`).join(", ");
}

async function check(stories: Iterable<Story>): Promise<void> {
  for (const story of stories) {
    assert.deepEqual(await play(story), [], describe(story));
  }
}

/** Stories with events in random order and at random times. */
function* randomStories(seed: number, count: number, plant?: Plant): Iterable<Story> {
  const random = seededRandom(seed);
  const pick = <T>(all: readonly T[]) => all[Math.floor(random.next() * all.length)]!;
  for (let index = 0; index < count; index++) {
    const rest = [...EVENTS];
    const events: Event[] = [];
    const length = 2 + Math.floor(random.next() * (EVENTS.length - 1));
    while (events.length < length) {
      events.push(rest.splice(Math.floor(random.next() * rest.length), 1)[0]!);
    }
    const gapsMs = events.map(() => pick(GAPS_MS));
    yield { events, gapsMs, ...(plant === undefined ? {} : { plant }) };
  }
}

test("whatever happens while a daemon adopts, in every order of three events, all commands end, once", async () => {
  const rest = EVENTS.filter((event) => event !== "adopt" && event !== "daemon exits");
  for (const gapMs of [0, 3, 8]) {
    for (const [one, other] of rest.flatMap((a, at) => rest.slice(at + 1).map((b) => [a, b]))) {
      for (const order of permutations([one!, other!, "adopt" as const])) {
        const events: readonly Event[] = ["daemon exits", ...order];
        await check([{ events, gapsMs: events.map(() => gapMs) }]);
      }
    }
  }
});

for (const plant of ["ends unreported", "exits unreported"] as const) {
  test(`commands end without the message of their end: "${plant}"`, async () => {
    for (const story of randomStories(5, 40, plant)) {
      const violations = (await play(story)).filter((each) => !each.includes("without a reason"));
      assert.deepEqual(violations, [], describe(story));
    }
  });
}

test("whatever happens in random order and at random times, all commands end, once", async () => {
  const { ADOPTION_SEED = "1", ADOPTION_STORIES = "80" } = process.env;
  await check(randomStories(Number(ADOPTION_SEED), Number(ADOPTION_STORIES)));
});

const PLANTS: readonly Plant[] = [
  "sends before it is attached",
  "ends unreported",
  "exits unseen",
  "kills nothing",
  "keeps no claims",
];

for (const plant of PLANTS) {
  test(`the model finds the bug "${plant}"`, async () => {
    let violations: readonly string[] = [];
    for (const story of randomStories(7, 300, plant)) {
      violations = await play(story);
      if (violations.length > 0) break;
    }
    assert.notDeepEqual(violations, []);
  });
}
