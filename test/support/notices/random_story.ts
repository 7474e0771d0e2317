import { JobError } from "../../../src/core/errors.ts";
import type { Instance } from "../../../src/core/instance.ts";
import type { Notice } from "../../../src/core/notices/notice.ts";
import { isFinal } from "../../../src/core/state.ts";
import type { Random } from "../../../src/platform/random.ts";
import type { Store } from "../../../src/store/store.ts";
import { seededRandom } from "../seeded_random.ts";
import { jobOf } from "../worlds/manager_world.ts";
import { RecordedChannel } from "./recorded_channel.ts";
import type { StoryStoreName } from "./story_stores.ts";
import { ON_JOBS, type Outcome, StoryWorld } from "./story_world.ts";

const STEPS = 30;
const DAY = 86_400_000;
const KINDS = ["one", "two"] as const;
/** Share of the calls of the store at which a daemon is killed. */
const KILLS = 0.004;
/** Shares of deliveries that fail, and of those that arrive and of which the answer is lost. */
const REFUSALS = 0.2;
const LOST_ANSWERS = 0.1;

/** What a seed came to. */
export interface RandomResult {
  readonly violations: readonly string[];
  readonly kills: number;
  readonly notices: number;
}

/** A channel that fails at random, with what happened before each delivery. */
class RandomChannel extends RecordedChannel {
  /** Faults before each delivery that arrived. */
  readonly faultsAt: number[] = [];
  draw: () => "refuse" | "lose" | "deliver" = () => "deliver";
  faults: () => number = () => 0;
  lost: () => void = () => {};

  override deliver(notice: Notice): Promise<void> {
    const fate = this.draw();
    const away = new JobError("unavailable", "Cannot reach the server");
    if (fate === "refuse") return Promise.reject(away);
    this.delivered.push(notice);
    this.faultsAt.push(this.faults());
    if (fate === "deliver") return Promise.resolve();
    this.lost();
    return Promise.reject(away);
  }
}

/**
 * Run jobs at random on daemons that are killed between any two calls of the store, with channels
 * that fail at random; then let it come to rest, and compare what was delivered with how the runs
 * ended.
 *
 * @param plant a bug of the store to have
 */
export async function tellAtRandom(
  seed: number,
  store: StoryStoreName,
  plant: (store: Store) => Store = (own) => own,
): Promise<RandomResult> {
  const run = await RandomStory.open(seed, store);
  run.world.plant = plant;
  try {
    return await run.play();
  } finally {
    await run.world.close();
  }
}

class RandomStory {
  readonly world: StoryWorld;
  readonly #random: Random;
  readonly #channels: readonly RandomChannel[];
  #isFaulty = true;
  #kills = 0;
  #faults = 0;

  private constructor(world: StoryWorld, random: Random, channels: readonly RandomChannel[]) {
    this.world = world;
    this.#random = random;
    this.#channels = channels;
  }

  static async open(seed: number, store: StoryStoreName): Promise<RandomStory> {
    const channels = [
      new RandomChannel("each", { on: ON_JOBS }),
      new RandomChannel("second", { on: ON_JOBS, after: 2 }),
      new RandomChannel("digest", { on: ON_JOBS, digestMs: 600_000 }),
    ];
    const options = { keepSuccessMs: 30 * DAY, keepFailureMs: 30 * DAY };
    const world = await StoryWorld.open({
      ...{ store, channels },
      jobs: KINDS.map((kind) => jobOf(kind, { options })),
    });
    return new RandomStory(world, seededRandom(seed), channels);
  }

  async play(): Promise<RandomResult> {
    const { world } = this;
    world.onNode = (gate) => {
      gate.onCall = () => {
        if (!this.#isFaulty || this.#random.next() >= KILLS) return;
        this.#kills += 1;
        this.#faults += 1;
        gate.kill();
      };
    };
    for (const channel of this.#channels) {
      channel.faults = () => this.#faults;
      channel.lost = () => void (this.#faults += 1);
      channel.draw = () => this.#fateOfDelivery();
    }
    await world.start("node");
    await world.start("other");
    for (let step = 0; step < STEPS; step++) await this.#step();
    this.#isFaulty = false;
    for (let rest = 0; rest < 10; rest++) {
      await world.revive();
      await world.advance("20m");
    }
    const violations: string[] = [];
    for (const kind of KINDS) violations.push(...await this.#check(kind));
    violations.push(...this.#channels.flatMap(repeated));
    const notices = this.#channels.reduce((sum, { delivered }) => sum + delivered.length, 0);
    return { violations, kills: this.#kills, notices };
  }

  #fateOfDelivery() {
    const fate = this.#random.next();
    if (!this.#isFaulty || fate >= REFUSALS + LOST_ANSWERS) return "deliver";
    return fate < REFUSALS ? "refuse" : "lose";
  }

  async #step(): Promise<void> {
    const { world } = this;
    const kind = this.#pick(KINDS);
    world.next(kind, this.#pick<Outcome>(["ok", "ok", "fail", "fail", "timeout", "lose"]));
    await world.submit(kind);
    if (this.#random.next() < 0.3) await world.advance(Math.floor(this.#random.next() * 180_000));
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.next() * items.length)]!;
  }

  async #check(kind: string): Promise<readonly string[]> {
    const { items } = await this.world.look((store) =>
      store.list({ kinds: [kind] }, { limit: 1_000, order: "oldest" })
    );
    const unfinished = items.filter(({ state }) => !isFinal(state));
    if (unfinished.length > 0) return [`${unfinished.length} runs of ${kind} do not end`];
    const runs = items.toSorted((left, right) => left.settledAt! - right.settledAt!);
    // The order of what ends in one millisecond is not known.
    if (runs.some((one, index) => one.settledAt === runs[index + 1]?.settledAt)) return [];
    const [each, second, digest] = this.#channels;
    return [
      ...compare(kind, each!, expectedOf(runs, 1)),
      ...compare(kind, second!, expectedOf(runs, 2)),
      ...compareCounts(kind, digest!, expectedOf(runs, 1)),
    ];
  }
}

/** "failed" and "recovered" in their order, for a channel that wants so many failures in a row. */
function expectedOf(runs: readonly Instance[], after: number): readonly string[] {
  const told: string[] = [];
  let streak = 0;
  for (const { state } of runs) {
    if (state === "completed") {
      if (streak >= after) told.push("recovered");
      streak = 0;
    } else if (++streak === after) told.push("failed");
  }
  return told;
}

/** What is wrong with the notices of one job in a channel, each counted once. */
function compare(kind: string, channel: RandomChannel, expected: readonly string[]) {
  const { name } = channel.settings;
  const byIncident = new Map<string, string[]>();
  const inOrder: string[] = [];
  const seen = new Set<string>();
  for (const { id, subject, type, incident } of channel.delivered) {
    if (subject.name !== kind || seen.has(id)) continue;
    seen.add(id);
    const event = type === "lost" ? "failed" : type;
    inOrder.push(event);
    byIncident.set(incident!.id, [...byIncident.get(incident!.id) ?? [], event]);
  }
  const wrong = [...byIncident.values()].map((told) => told.join(" "))
    .filter((told) => told !== "failed" && told !== "failed recovered")
    .map((told) => `${name} of ${kind}: an incident was "${told}"`);
  const [is, should] = [inOrder.join(" "), expected.join(" ")];
  return is === should ? wrong : [...wrong, `${name} of ${kind}: "${is}", expected "${should}"`];
}

/** What is missing in the digests about one job. */
function compareCounts(kind: string, channel: RandomChannel, expected: readonly string[]) {
  const counts = new Map<string, number>();
  const digests = new Map(channel.delivered.map((notice) => [notice.id, notice]));
  for (const { items } of digests.values()) {
    for (const { subject, event, count } of items) {
      if (subject.name !== kind) continue;
      const word = event === "lost" ? "failed" : event;
      counts.set(word, (counts.get(word) ?? 0) + count);
    }
  }
  return ["failed", "recovered"].flatMap((event) => {
    const should = expected.filter((one) => one === event).length;
    const is = counts.get(event) ?? 0;
    return is >= should ? [] : [`digests of ${kind}: ${is} ${event}, expected ${should}`];
  });
}

/** Notices that came twice although nothing went wrong between. */
function repeated({ settings: { name }, delivered, faultsAt }: RandomChannel): readonly string[] {
  const first = new Map<string, number>();
  return delivered.flatMap(({ id, title }, index) => {
    const before = first.get(id);
    first.set(id, faultsAt[index]!);
    return before !== faultsAt[index] ? [] : [`${name}: "${title}" came twice`];
  });
}
