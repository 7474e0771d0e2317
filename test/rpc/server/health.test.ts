import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from "../../../src/rpc/gen/health_pb.ts";
import { framed, rawCall, rawSession } from "../../support/raw_grpc.ts";
import type { RawAnswer } from "../../support/raw_grpc.ts";
import { NO_AUTH, rpcWorld } from "../../support/worlds/rpc_world.ts";
import type { RpcWorld } from "../../support/worlds/rpc_world.ts";

const CHECK = "/grpc.health.v1.Health/Check";
const WATCH = "/grpc.health.v1.Health/Watch";

function request(service: string): Uint8Array {
  return framed(
    toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service })),
  );
}

/** The statuses in a stream's messages. */
function statuses(body: Buffer): ServingStatus[] {
  const found: ServingStatus[] = [];
  for (let at = 0; at < body.length;) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    found.push(fromBinary(HealthCheckResponseSchema, body.subarray(at + 5, end)).status);
    at = end;
  }
  return found;
}

async function check(world: RpcWorld, service = ""): Promise<RawAnswer> {
  const session = rawSession(world.port);
  const answer = await rawCall(session, CHECK, request(service));
  session.destroy();
  return answer;
}

test("Check returns SERVING for the server and for JobService", async () => {
  await using world = await rpcWorld();
  for (const service of ["", "job.v1.JobService"]) {
    assert.deepEqual(statuses((await check(world, service)).body), [ServingStatus.SERVING]);
  }
});

test("Check returns NOT_SERVING while draining and while the store does not respond", async () => {
  await using world = await rpcWorld();
  world.manager.isDraining = true;
  assert.deepEqual(statuses((await check(world)).body), [ServingStatus.NOT_SERVING]);
  world.manager.isDraining = false;
  world.manager.storeProblem = "gone";
  assert.deepEqual(statuses((await check(world)).body), [ServingStatus.NOT_SERVING]);
});

test("Check returns NOT_FOUND for an unknown service", async () => {
  await using world = await rpcWorld();
  assert.equal((await check(world, "nope")).status, status.NOT_FOUND);
});

test("Check needs no token", async () => {
  await using folder = await rpcWorld({ isStarted: false });
  await using world = await rpcWorld({
    server: { auth: { ...NO_AUTH, mode: "token", tokenFile: `${folder.folder}/token` } },
  });
  assert.deepEqual(statuses((await check(world)).body), [ServingStatus.SERVING]);
});

test("Watch sends the status and, at stop, NOT_SERVING and the end", async () => {
  const world = await rpcWorld();
  const session = rawSession(world.port);
  const answer = rawCall(session, WATCH, request(""));
  // A response on the same connection shows that the watch has begun.
  await rawCall(session, CHECK, request(""));
  await world[Symbol.asyncDispose]();
  const { body, status: code } = await answer;
  assert.deepEqual(statuses(body), [ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  assert.equal(code, status.OK);
  session.destroy();
});
