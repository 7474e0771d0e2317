import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../../../src/core/instance.ts";
import { FollowChanges, Followers } from "../../../src/manager/instances/followers.ts";
import type { StoreReads } from "../../../src/store/store.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

/** A store that counts which ids are read, and has every instance that it is asked for. */
function world() {
  const reads: string[][] = [];
  const store: Pick<StoreReads, "list"> = {
    async list({ ids = [] }) {
      reads.push([...ids]);
      await null;
      const items = ids.map((id) =>
        ({ id, state: "completed", argumentsJson: `["${id}"]`, error: null }) as Instance
      );
      return { items, nextToken: null };
    },
  };
  const clock = new SimClock();
  const followers = new Followers();
  const follower = () => {
    followers.count += 1;
    return new FollowChanges({ store, clock, followers });
  };
  const note = (all: readonly FollowChanges[], id: string) => {
    for (const each of all) each.note({ type: "state", instance: { id, kind: "a" } });
  };
  return { reads, clock, followers, follower, note };
}

test("many followers of a change read it once, and again when it changes", async () => {
  const { reads, clock, follower, note } = world();
  const all = Array.from({ length: 100 }, follower);
  note(all, "1");
  const steps = await Promise.all(all.map((each) => each.take()));
  for (const { changed } of steps) {
    assert.deepEqual(changed.map(({ id, argumentsJson }) => [id, argumentsJson]), [["1", "[]"]]);
  }
  assert.deepEqual(reads, [["1"]]);
  // One that comes a little later reads only what it does not find.
  const late = follower();
  note([late], "2");
  await late.take();
  note(all, "1");
  note(all, "2");
  await Promise.all(all.map((each) => each.take()));
  assert.deepEqual(reads.slice(1), [["2"], ["1", "2"]]);
  // Changes by other nodes have no event here.
  all[0]!.recheck();
  all[0]!.noteLines([{ instanceId: "2" } as never]);
  await all[0]!.take();
  assert.equal(reads.length, 3);
  await clock.advance(200);
  all[0]!.noteLines([{ instanceId: "2" } as never]);
  await all[0]!.take();
  assert.deepEqual(reads.slice(3), [["2"]]);
});

test("many followers share the room for changes that wait", async () => {
  const { follower, note } = world();
  const alone = follower();
  for (let id = 0; id < 1_000; id++) note([alone], `${id}`);
  assert.equal((await alone.take()).hasMissed, false);
  const others = Array.from({ length: 499 }, follower);
  for (let id = 0; id < 100; id++) note([others[0]!], `${id}`);
  assert.equal((await others[0]!.take()).hasMissed, false);
  for (let id = 0; id < 101; id++) note([others[1]!], `${id}`);
  assert.equal((await others[1]!.take()).hasMissed, true);
});
