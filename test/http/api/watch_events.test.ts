import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiWorld, apiWorld } from "../../support/worlds/api_world.ts";

/** Opens a stream, and returns a function that reads its next event. */
async function open(world: ApiWorld, path: string, lastEventId?: string) {
  const headers: Record<string, string> = lastEventId ? { "last-event-id": lastEventId } : {};
  const response = await world.send("GET", path, undefined, headers);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async next(): Promise<{ id: string; event: string; data: Record<string, unknown> }> {
      while (!text.includes("\n\n")) text += (await reader.read()).value ?? "";
      const end = text.indexOf("\n\n");
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
      return { id: field("id"), event: field("event"), data: JSON.parse(field("data")) };
    },
    close: () => reader.cancel(),
  };
}

test("watch is a stream of events that resumes behind the last one", async () => {
  await using world = await apiWorld();
  const instance = world.manager.add({ state: "processing", argumentsJson: '[{"n":1}]' });
  const stream = await open(world, "/api/v1/watch");
  const first = await stream.next();
  assert.equal(first.event, "news");
  assert.equal(first.data.is_whole, true);
  assert.deepEqual(first.data.totals, {
    ...{ kind: "", scheduled: 0, processing: 1, completed: 0, terminated: 0, canceled: 0 },
    timed_out: 0,
  });
  const { instances } = first.data.running as { instances: Record<string, unknown>[] };
  assert.deepEqual(instances.map(({ id, arguments: args }) => [id, args]), [
    [instance.id, [{ n: 1 }]],
  ]);
  world.manager.move(instance, "completed");
  const second = await stream.next();
  assert.deepEqual(second.data.changed, [{ id: instance.id, kind: "echo" }]);
  await stream.close();

  const resumed = await open(world, "/api/v1/watch", first.id);
  const again = await resumed.next();
  assert.equal(again.id, second.id);
  assert.deepEqual(again.data.changed, second.data.changed);
  await resumed.close();
  const current = await open(world, "/api/v1/watch", second.id);
  assert.equal((await current.next()).event, "alive");
  await current.close();
  const unknown = await open(world, "/api/v1/watch", "of-another-daemon.7");
  assert.equal((await unknown.next()).data.is_whole, true);
  await unknown.close();
});

test("watch of one job shows only that", async () => {
  await using world = await apiWorld();
  world.manager.add({ state: "processing" });
  world.manager.add({ kind: "other", state: "processing" });
  const stream = await open(world, "/api/v1/watch?kind=other");
  const { data } = await stream.next();
  assert.deepEqual((data.kinds as { kind: string }[]).map(({ kind }) => kind), ["other"]);
  await stream.close();
});
