import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { STORY_STORES, type StoryStoreName } from "./story_stores.ts";
import { type StoryStart, StoryWorld } from "./story_world.ts";

/** A story: how it begins, what happens, and which notices that makes, and no others. */
export interface Story {
  /** In plain words. */
  readonly name: string;
  /** Made anew for each store. */
  readonly start?: () => Omit<StoryStart, "store">;
  readonly happens: (world: StoryWorld) => Promise<void>;
  /** What each channel has delivered at the end. */
  readonly told: Readonly<Record<string, readonly string[]>>;
  /** The stores that it is played on; all by default, but see {@link PLAYED_EVERY}. */
  readonly stores?: readonly StoryStoreName[];
  /** Takes hours, and more time than many others: played on its first store only. */
  readonly isLong?: boolean;
  /** Played on a real etcd too. */
  readonly isOnEtcd?: boolean;
}

/**
 * Every story is played in memory, and some also on SQLite. On the others few are: a replica has a
 * timer of every second, and the clock waits for each answer of Valkey's server, which together
 * take most of the time of all stories. `npm run slow -- stories` plays each on every store.
 */
const PLAYED_EVERY: Readonly<Record<StoryStoreName, number>> = {
  ...{ "memory": 1, "SQLite": 5, "etcd's replica": 8, "Valkey": 16, "etcd": Infinity },
};

/** By the index among a file's short stories: not the first one, which mostly takes longest. */
function isPlayed(store: StoryStoreName, index: number): boolean {
  const every = PLAYED_EVERY[store];
  return index % every === Math.floor(every / 2);
}

const ARE_ALL_PLAYED = process.env["JOBCTL_STORIES"] === "all";

// Each store has tests of its own on both runtimes, so that on Deno one store is enough.
const isDeno = "Deno" in globalThis;

/** A test of each story on each store; on Deno only on the first one. */
export function playStories(stories: readonly Story[]): void {
  const short = stories.filter(({ isLong }) => !isLong);
  for (const story of stories) {
    const { name, start, happens, told, isLong, isOnEtcd } = story;
    const index = short.indexOf(story);
    const stores = story.stores ??
      STORY_STORES.filter((store) => ARE_ALL_PLAYED || isLong || isPlayed(store, index));
    const all = isOnEtcd ? [...stores, "etcd" as const] : stores;
    const isOnFirst = isDeno || (isLong && !ARE_ALL_PLAYED);
    for (const store of isOnFirst ? stores.slice(0, 1) : all) {
      test(`${name} (${store})`, async () => {
        const world = await StoryWorld.started({ ...start?.(), store });
        try {
          await happens(world);
          await world.advance("1m");
          assert.deepEqual(world.told, told);
        } finally {
          await world.close();
        }
      });
    }
  }
}
