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
  /** The stores that it is played on; all by default, but see {@link VALKEY_EVERY}. */
  readonly stores?: readonly StoryStoreName[];
  /** Played on a real etcd too. */
  readonly isOnEtcd?: boolean;
}

/**
 * The clock waits for each answer of Valkey's server, which takes most of the time of all stories:
 * one in so many is played there. `npm run slow -- stories` plays each on every store.
 */
const VALKEY_EVERY = process.env["JOBCTL_STORIES"] === "all" ? 1 : 3;

// Each store has tests of its own on both runtimes, so that on Deno one store is enough.
const isDeno = "Deno" in globalThis;

/** A test of each story on each store; on Deno only on the first one. */
export function playStories(stories: readonly Story[]): void {
  for (const [index, story] of stories.entries()) {
    const { name, start, happens, told, isOnEtcd } = story;
    const stores = story.stores ??
      STORY_STORES.filter((store) => store !== "Valkey" || index % VALKEY_EVERY === 0);
    const all = isOnEtcd ? [...stores, "etcd" as const] : stores;
    for (const store of isDeno ? stores.slice(0, 1) : all) {
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
