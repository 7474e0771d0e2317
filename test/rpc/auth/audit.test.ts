import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import type { LogFields } from "../../../src/platform/logger.ts";
import { createIdSource } from "../../../src/platform/ids.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { Audit } from "../../../src/rpc/auth/audit.ts";
import {
  RedriveInstancesRequestSchema,
  RedriveInstancesResponseSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import { METHOD_RULES } from "../../../src/rpc/gen/method_rules.ts";
import type { MethodName } from "../../../src/rpc/backend.ts";
import { type MethodWorld, testMethods } from "../../support/worlds/method_worlds.ts";
import {
  keepingLogger,
  type LoggedLine,
  NO_AUTH,
  tokenEntry,
} from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const AUTH = {
  ...NO_AUTH,
  mode: "token",
  tokens: [tokenEntry("deploy", "admin-token", "admin"), tokenEntry("eyes", "v-token", "viewer")],
} as const;

function told(world: MethodWorld): readonly (readonly [string, string, unknown])[] {
  return world.lines.filter(({ fields }) => "by" in fields)
    .map(({ level, message, fields }) => [level, message, fields]);
}

test("every method that changes more than a new instance is logged", () => {
  for (const [method, { role, effect }] of Object.entries(METHOD_RULES)) {
    const isLogged = Audit.has(method as MethodName);
    if (effect === "change") assert.ok(isLogged, method);
    // New instances have a history of their own.
    if (role !== "viewer") assert.equal(isLogged, effect !== "add", method);
  }
});

testMethods("a change is logged with its request and caller", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const client = world.client({ token: "admin-token" });
  await client.pause({ kind: "add", reason: "a\nrepair" });
  const [[level, message, fields]] = told(world) as [[string, string, Record<string, unknown>]];
  assert.equal(level, "info");
  assert.equal(message, "Paused a job");
  assert.equal(fields["kind"], "add");
  assert.equal(fields["reason"], "a\nrepair");
  assert.equal(fields["by"], "deploy");
  assert.match(String(fields["from"]), /127\.0\.0\.1/);
});

testMethods(
  "a new schedule is logged, an instance or a dry run is not; nobody is named without authentication",
  async (openWorld) => {
    await using world = await openWorld();
    const client = world.client();
    await client.scheduleJob({ kind: "echo", arguments: ["1"] });
    await client.scheduleJob({ kind: "echo", cron: "@daily", dryRun: true });
    const { schedule } = await client.scheduleJob({ kind: "echo", cron: "@daily" });
    const [[, message, fields], ...others] = told(world) as [[string, string, LogFields]];
    assert.deepEqual(others, []);
    assert.equal(message, "Created a schedule");
    assert.equal(fields["schedule"], schedule!.id);
    assert.equal(fields["by"], "unauthenticated");
  },
);

testMethods("refused calls, reads and dry runs are not logged", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const viewer = world.client({ token: "v-token" });
  await assert.rejects(viewer.pause({ kind: "add" }));
  await viewer.getStatus();
  const admin = world.client({ token: "admin-token" });
  await assert.rejects(admin.cancelInstances({}));
  await admin.backfill({ kind: "add", from: { seconds: 1n }, to: { seconds: 2n }, dryRun: true });
  assert.deepEqual(told(world), []);
});

testMethods("a call that matches nothing is not logged", async (openWorld) => {
  await using world = await openWorld();
  const client = world.client();
  await client.cancelInstances({ query: { kind: "add" } });
  await client.redriveInstances({ query: { kind: "add" } });
  assert.deepEqual(told(world), []);
});

test("a redrive logs only the dead letters that this call runs again", () => {
  const clock = new SimClock();
  const ids = createIdSource(clock, systemRandom);
  const earlier = ids();
  clock.shiftWall(1);
  const lines: LoggedLine[] = [];
  const audit = new Audit(keepingLogger(lines), clock);
  const since = audit.now();
  const redrive = (...uuids: readonly string[]) => {
    const query = { uuids: ["dead"] };
    const answer = { count: BigInt(uuids.length), instances: uuids.map((uuid) => ({ uuid })) };
    audit.log("redriveInstances", {
      ...{ since, caller: null, peer: "unix:1", uid: null },
      request: toBinary(
        RedriveInstancesRequestSchema,
        create(RedriveInstancesRequestSchema, { query }),
      ),
      response: toBinary(
        RedriveInstancesResponseSchema,
        create(RedriveInstancesResponseSchema, answer),
      ),
    });
  };
  redrive(earlier);
  assert.deepEqual(lines, []);
  redrive(earlier, ids(), ids());
  assert.deepEqual(lines.map(({ message, fields }) => [message, fields["count"]]), [
    ["Ran dead letters again", 2],
  ]);
});

testMethods(
  "of many changes the first are logged, and the number of the others",
  async (openWorld) => {
    await using world = await openWorld();
    const client = world.client();
    await Promise.all(Array.from({ length: 80 }, () => client.resizeWorkers({ count: 3 })));
    assert.ok(told(world).length <= 60, `${told(world).length} lines`);
    while (!world.lines.some(({ message }) => message.startsWith("Too many changes by callers"))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
);
