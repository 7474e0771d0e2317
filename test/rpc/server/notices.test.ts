import assert from "node:assert/strict";
import { isJobError } from "../../../src/core/errors.ts";
import type { Incident } from "../../../src/core/notices/incident.ts";
import type { JobClient } from "../../../src/rpc/client/client.ts";
import { type MethodWorld, testMethods } from "../../support/worlds/method_worlds.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";

const START = Date.UTC(2026, 0, 1);
const UNTIL = { seconds: BigInt(START / 1_000) + 3_600n, nanos: 0 };
const ID = "01934000-0000-7000-8000-000000000001";

const AUTH = {
  ...NO_AUTH,
  mode: "token",
  tokens: [
    tokenEntry("boss", "a-token", "admin"),
    tokenEntry("eva", "o-token", "operator"),
    tokenEntry("shop", "s-token", "admin", { jobs: ["shop-*"] }),
  ],
} as const;

function incidentOf(type: Incident["subject"]["type"], name: string): Incident {
  return {
    id: ID,
    subject: { type, name },
    events: ["failed", "late"],
    openedAt: START,
    closedAt: null,
    count: 3,
    lastAt: START + 2_000,
    lastError: "exit code 2",
    lastInstanceId: "0193ffff-0000-7000-8000-000000000000",
    lastVersion: "v1",
    lastExitCode: 2,
    acknowledgedBy: null,
    acknowledgedAt: null,
    notified: ["ops"],
  };
}

function told(world: MethodWorld): readonly (readonly [string, unknown])[] {
  return world.lines.filter(({ fields }) => "by" in fields)
    .map(({ message, fields }) => [message, fields["by"]]);
}

async function refused(
  call: Promise<unknown>,
  code: Parameters<typeof isJobError>[1],
  path?: string,
) {
  await assert.rejects(call, (error) => {
    return isJobError(error, code) && (path === undefined || error.path === path);
  });
}

testMethods(
  "ListIncidents returns every field, open ones unless asked otherwise",
  async (openWorld) => {
    await using world = await openWorld();
    const { manager } = world;
    manager.incidents.push(incidentOf("job", "echo"));
    manager.incidents.push({ ...incidentOf("node", "a"), closedAt: START + 9_000 });
    const { incidents } = await world.client().listIncidents({});
    const [{ $typeName: _, openedAt, lastAt, ...rest }] = incidents as [typeof incidents[0]];
    assert.deepEqual(rest, {
      ...{ id: ID, type: "job", name: "echo", events: ["failed", "late"], count: 3n },
      ...{ lastError: "exit code 2", lastUuid: "0193ffff-0000-7000-8000-000000000000" },
      ...{ lastVersion: "v1", lastExitCode: 2, notified: ["ops"] },
    });
    assert.equal(Number(openedAt?.seconds) * 1_000, START);
    assert.equal(Number(lastAt?.seconds) * 1_000, START + 2_000);
    const all = await world.client().listIncidents({ withClosed: true });
    assert.deepEqual(all.incidents.map(({ type, closedAt }) => [type, closedAt !== undefined]), [
      ["job", false],
      ["node", true],
    ]);
  },
);

testMethods(
  "AcknowledgeIncident keeps the name of the caller's token, and is logged once",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    world.manager.incidents.push(incidentOf("job", "echo"));
    const call = (token: string) =>
      world.client({ token }).acknowledgeIncident({ type: "job", name: "echo" });
    const first = await call("o-token");
    assert.deepEqual([first.incident?.acknowledgedBy, first.changed], ["eva", true]);
    const second = await call("a-token");
    assert.deepEqual([second.incident?.acknowledgedBy, second.changed], ["eva", false]);
    assert.deepEqual(told(world), [["Acknowledged an incident", "eva"]]);
  },
);

testMethods(
  "AcknowledgeIncident takes an acknowledgment back, which is logged once",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    world.manager.incidents.push({
      ...{ ...incidentOf("job", "echo"), acknowledgedBy: "eva", acknowledgedAt: START },
    });
    const call = () =>
      world.client({ token: "a-token" }).acknowledgeIncident({
        ...{ type: "job", name: "echo", undo: true },
      });
    const first = await call();
    assert.deepEqual([first.incident?.acknowledgedBy, first.changed], [undefined, true]);
    assert.equal((await call()).changed, false);
    assert.deepEqual(told(world), [["Took back the acknowledgment of an incident", "boss"]]);
  },
);

testMethods(
  "AcknowledgeIncident closes an incident for an operator, which is logged",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    world.manager.incidents.push(incidentOf("job", "echo"));
    const client = world.client({ token: "o-token" });
    const request = { type: "job", name: "echo", close: true };
    await refused(
      client.acknowledgeIncident({ ...request, undo: true }),
      "invalid_argument",
      "close",
    );
    const { incident, changed } = await client.acknowledgeIncident(request);
    assert.deepEqual(
      [incident?.closedReason, incident?.closedAt !== undefined, changed],
      ["closed by eva", true, true],
    );
    assert.deepEqual(told(world), [["Closed an incident", "eva"]]);
  },
);

testMethods(
  "AcknowledgeIncident refuses an unknown type, no name, and what is no id",
  async (openWorld, transport) => {
    await using world = await openWorld();
    const client = world.client();
    await refused(
      client.acknowledgeIncident({ type: "jobs", name: "a" }),
      "invalid_argument",
      "type",
    );
    // Over HTTP the name is a part of the path.
    if (transport === "gRPC") {
      await refused(client.acknowledgeIncident({ type: "job" }), "invalid_argument", "name");
    }
    const request = { type: "job", name: "echo", id: "0193" };
    await refused(client.acknowledgeIncident(request), "invalid_argument", "id");
  },
);

testMethods(
  "SetSilence keeps the name of the caller's token, its reason and its end",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    const client = world.client({ token: "o-token" });
    const { silence } = await client.setSilence({ kind: "echo", until: UNTIL, reason: "disk" });
    assert.deepEqual([silence?.kind, silence?.by, silence?.reason], ["echo", "eva", "disk"]);
    assert.equal(silence?.until?.seconds, UNTIL.seconds);
    const { silences } = await client.listSilences({});
    assert.deepEqual(silences.map(({ kind, by }) => [kind, by]), [["echo", "eva"]]);
    assert.deepEqual(
      await client.removeSilence({ kind: "echo" }).then((one) => one.wasSilenced),
      true,
    );
    assert.deepEqual(
      await client.removeSilence({ kind: "echo" }).then((one) => one.wasSilenced),
      false,
    );
    assert.deepEqual(told(world), [["Silenced a job", "eva"], [
      "Ended the silence of a job",
      "eva",
    ]]);
  },
);

/** Requests that name nothing, or two things: each must silence nothing. */
const UNCLEAR = [{}, { kind: "" }, { kind: "echo", all: true }] as const;

testMethods(
  "SetSilence and RemoveSilence refuse a request that does not say what it means",
  async (openWorld) => {
    await using world = await openWorld();
    const client = world.client();
    for (const request of UNCLEAR) {
      await refused(client.setSilence({ ...request, until: UNTIL }), "invalid_argument");
      await refused(client.removeSilence(request), "invalid_argument");
    }
    await refused(client.setSilence({ kind: "echo" }), "invalid_argument", "until");
    await refused(client.setSilence({ kind: "ech*", until: UNTIL }), "not_found", "kind");
    assert.deepEqual(world.manager.silences, []);
  },
);

testMethods("only an admin silences everything, or ends that", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const operator = world.client({ token: "o-token" });
  const request = { all: true, until: UNTIL };
  await refused(operator.setSilence(request), "permission_denied", "all");
  const admin = world.client({ token: "a-token" });
  const { silence } = await admin.setSilence(request);
  assert.deepEqual([silence?.kind, silence?.by], [undefined, "boss"]);
  await refused(operator.removeSilence({ all: true }), "permission_denied", "all");
  assert.equal((await admin.removeSilence({ all: true })).wasSilenced, true);
  assert.deepEqual(told(world), [
    ["Silenced everything", "boss"],
    ["Ended the silence of everything", "boss"],
  ]);
});

testMethods(
  "TestNotice is an admin's, and logged before it is sent",
  async (openWorld, transport) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    const { text, isSent } = await world.client({ token: "a-token" }).testNotice({
      channel: "ops",
    });
    assert.deepEqual([text, isSent], ["POST /hook", true]);
    const dry = await world.client({ token: "a-token" }).testNotice({
      channel: "ops",
      dryRun: true,
    });
    assert.equal(dry.isSent, false);
    await refused(
      world.client({ token: "o-token" }).testNotice({ channel: "ops" }),
      "permission_denied",
    );
    const admin = world.client({ token: "a-token" });
    if (transport === "gRPC") {
      await refused(admin.testNotice({}), "invalid_argument", "channel");
    }
    await refused(
      admin.testNotice({ channel: "ops", event: "test" }),
      "invalid_argument",
      "event",
    );
    const requested = told(world).filter(([message]) =>
      message === "Requested a test of a channel"
    );
    assert.equal(requested.length, transport === "gRPC" ? 4 : 3);
  },
);

testMethods("ListChannels returns the configured channels", async (openWorld) => {
  await using world = await openWorld();
  const rules = { on: ["failed"], jobs: ["shop-*"], after: 1, quiet: ["sat-sun"] } as const;
  const ops = { name: "ops", to: "webhook", ...rules } as const;
  const none = { rate: null, repeatMs: null, digestMs: null, limit: { most: 5, perMs: 90_000 } };
  world.manager.channels.push({ ...ops, ...none, repeatMs: 60_000 });
  world.manager.channels.push({ ...ops, ...none, name: "b", rate: { failures: 3, of: 10 } });
  const { channels } = await world.client().listChannels({});
  const [{ $typeName: _, ...channel }, second] = channels as [
    typeof channels[0],
    typeof channels[0],
  ];
  assert.deepEqual(channel, { ...ops, repeatMs: 60_000n, limit: "5/1m30s" });
  assert.deepEqual([second.rate, second.repeatMs], ["3/10", undefined]);
});

/** What an admin limited to other jobs must not do. */
const TOO_WIDE: Readonly<Record<string, (client: JobClient) => Promise<unknown>>> = {
  "see another job's incidents": (client) => client.listIncidents({ kind: "echo" }),
  "acknowledge another job's": (client) =>
    client.acknowledgeIncident({ type: "job", name: "echo" }),
  "take back an acknowledgment of another job's": (client) =>
    client.acknowledgeIncident({ type: "job", name: "echo", undo: true }),
  "acknowledge a node's": (client) => client.acknowledgeIncident({ type: "node", name: "shop-a" }),
  "silence another job": (client) => client.setSilence({ kind: "echo", until: UNTIL }),
  "silence everything": (client) => client.setSilence({ all: true, until: UNTIL }),
  "end another's silence": (client) => client.removeSilence({ kind: "echo" }),
  "end that of everything": (client) => client.removeSilence({ all: true }),
  "list the channels": (client) => client.listChannels({}),
  "test a channel": (client) => client.testNotice({ channel: "ops" }),
};

for (const [what, call] of Object.entries(TOO_WIDE)) {
  testMethods(`a caller limited to some jobs does not ${what}`, async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    world.manager.incidents.push(incidentOf("job", "echo"), incidentOf("node", "shop-a"));
    await refused(call(world.client({ token: "s-token" })), "permission_denied");
    assert.deepEqual(world.manager.silences, []);
  });
}

testMethods(
  "a caller limited to some jobs sees only their incidents and silences",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    const { manager } = world;
    for (const name of ["echo", "shop-a"]) manager.incidents.push(incidentOf("job", name));
    manager.incidents.push(incidentOf("node", "shop-a"));
    const silence = { since: START, until: START + 1, reason: "", by: "eva" };
    for (const kind of ["echo", "shop-a", null]) manager.silences.push({ kind, ...silence });
    const client = world.client({ token: "s-token" });
    const { incidents } = await client.listIncidents({});
    assert.deepEqual(incidents.map(({ type, name }) => [type, name]), [["job", "shop-a"]]);
    const { silences } = await client.listSilences({});
    assert.deepEqual(silences.map(({ kind }) => kind), ["shop-a", undefined]);
    const { incident } = await client.acknowledgeIncident({ type: "job", name: "shop-a" });
    assert.equal(incident?.acknowledgedBy, "shop");
  },
);

testMethods("only an admin of the whole daemon cancels notices by name", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const may: unknown[] = [];
  const { manager } = world;
  manager.cancelInstances = async (_query, options) => {
    may.push(options?.mayCancelNotices);
    return [];
  };
  manager.jobs.set("shop-a", manager.jobs.get("echo")!);
  for (const token of ["a-token", "o-token", "s-token"]) {
    await world.client({ token }).cancelInstances({ query: { kind: "shop-a" } });
  }
  assert.deepEqual(may, [true, false, false]);
});
