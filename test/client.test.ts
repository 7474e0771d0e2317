import assert from "node:assert/strict";
import test from "node:test";
import {
  connect,
  httpStatusOf,
  JobError,
  JobInstanceSchema,
  JobState,
  toJson,
} from "../src/client.ts";
import { rpcWorld } from "./support/worlds/rpc_world.ts";

test("httpStatusOf() gives the status of an error's code, and 500 for any other error", () => {
  assert.equal(httpStatusOf(new JobError("not_found", "no such instance")), 404);
  assert.equal(httpStatusOf(new JobError("unavailable", "no daemon")), 503);
  assert.equal(httpStatusOf(new TypeError("a defect")), 500);
});

test("ts-job/client calls a daemon, and its messages become JSON", async () => {
  await using world = await rpcWorld();
  const client = connect({ host: "127.0.0.1", port: world.port, socket: null });
  try {
    const { instance } = await client.scheduleJob({ kind: "echo", arguments: ["7"] });
    assert.equal(JobState[instance!.state], "SCHEDULED");
    const json = JSON.parse(JSON.stringify(toJson(JobInstanceSchema, instance!)));
    assert.deepEqual([json.kind, json.arguments], ["echo", ["7"]]);
    assert.equal(typeof json.createdAt, "string");
  } finally {
    client.close();
  }
});
