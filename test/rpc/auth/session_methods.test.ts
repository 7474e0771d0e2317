import assert from "node:assert/strict";
import { isJobError } from "../../../src/core/errors.ts";
import { sessionHandlers } from "../../../src/rpc/handlers/session_handlers.ts";
import type { CallState } from "../../../src/rpc/handlers/handler.ts";
import {
  CreateLoginCodeRequestSchema,
  ListSessionsRequestSchema,
  RevokeSessionsRequestSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import { create } from "@bufbuild/protobuf";
import { type MethodWorld, testMethods } from "../../support/worlds/method_worlds.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";

const AUTH = {
  ...NO_AUTH,
  mode: "token",
  tokens: [
    tokenEntry("boss", "admin-token", "admin"),
    tokenEntry("eyes", "viewer-token", "viewer"),
    tokenEntry("shop", "shop-token", "admin", { jobs: ["shop-*"] }),
  ],
} as const;

/** Open a session with the code of a token's caller. */
async function open({ client, manager }: MethodWorld, token: string) {
  const { code } = await client({ token }).createLoginCode({});
  const holder = await manager.sessions.redeemCode(code);
  return (await manager.sessions.open(holder!, "10.0.0.1")).session;
}

testMethods("CreateLoginCode gives the rights of its caller, and no more", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const rightsOf = ({ name, role, jobs }: Awaited<ReturnType<typeof open>>) => [name, role, jobs];
  assert.deepEqual(rightsOf(await open(world, "admin-token")), ["boss", "admin", null]);
  assert.deepEqual(rightsOf(await open(world, "viewer-token")), ["eyes", "viewer", null]);
  assert.deepEqual(rightsOf(await open(world, "shop-token")), ["shop", "admin", ["shop-*"]]);
});

testMethods("CreateLoginCode is logged without its code", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const { code } = await world.client({ token: "viewer-token" }).createLoginCode({});
  const line = world.lines.find(({ message }) => message === "Created a code for a session");
  assert.equal(line?.fields["by"], "eyes");
  assert.equal(JSON.stringify(world.lines).includes(code), false);
});

testMethods(
  "ListSessions and RevokeSessions are about all sessions only for an admin of all jobs",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    const sessions = [];
    for (
      const { token } of [{ token: "admin-token" }, { token: "viewer-token" }, {
        token: "shop-token",
      }]
    ) {
      sessions.push(await open(world, token));
    }
    const listed = async (token: string) =>
      (await world.client({ token }).listSessions({})).sessions.map(({ name }) => name).sort();
    assert.deepEqual(await listed("admin-token"), ["boss", "eyes", "shop"]);
    assert.deepEqual(await listed("viewer-token"), ["eyes"]);
    assert.deepEqual(await listed("shop-token"), ["shop"]);
    const [boss, eyes, shop] = sessions;
    for (const token of ["viewer-token", "shop-token"]) {
      await assert.rejects(
        world.client({ token }).revokeSessions({ id: boss!.id }),
        (error) => isJobError(error, "not_found"),
      );
    }
    const client = world.client({ token: "admin-token" });
    assert.deepEqual(
      (await client.revokeSessions({ id: shop!.id.slice(0, 8) })).sessions.map(({ id }) => id),
      [shop!.id],
    );
    const { sessions: own } = await world.client({ token: "viewer-token" })
      .revokeSessions({ all: true });
    assert.deepEqual(own.map(({ id }) => id), [eyes!.id]);
    assert.deepEqual(await listed("admin-token"), ["boss"]);
  },
);

testMethods("GetCaller returns the caller's own name and rights", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const { $typeName: _, ...caller } = await world.client({ token: "shop-token" }).getCaller({});
  assert.deepEqual(caller, { name: "shop", role: "admin", jobs: ["shop-*"] });
});

testMethods("RevokeSessions needs an id or all, and not both", async (openWorld) => {
  await using world = await openWorld({ server: { auth: AUTH } });
  const client = world.client({ token: "admin-token" });
  for (
    const request of [{}, { id: "" }, { id: "abcd", all: true }, { id: "abc" }, { id: "abcx" }]
  ) {
    await assert.rejects(
      client.revokeSessions(request),
      (error) => isJobError(error, "invalid_argument"),
      JSON.stringify(request),
    );
  }
});

testMethods(
  "a caller with a session gets no code, and ends only its own sessions if it is no admin",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    const eyes = await open(world, "viewer-token");
    await open(world, "admin-token");
    const handlers = sessionHandlers(world.manager);
    const call = { caller: { name: "eyes", isAdmin: false, holder: eyes, session: eyes } };
    await assert.rejects(
      async () =>
        await handlers.createLoginCode(
          create(CreateLoginCodeRequestSchema),
          call as unknown as CallState,
        ),
      (error) => isJobError(error, "permission_denied"),
    );
    const { sessions: [listed, ...others] } = await handlers.listSessions(
      create(ListSessionsRequestSchema),
      call as unknown as CallState,
    );
    assert.deepEqual([listed!.id, listed!.isCurrent, others.length], [eyes.id, true, 0]);
    const request = create(RevokeSessionsRequestSchema, { all: true });
    const { sessions: ended } = await handlers.revokeSessions(
      request,
      call as unknown as CallState,
    );
    assert.equal(ended.length, 1);
    assert.equal((await world.manager.sessions.list(null)).length, 1);
  },
);

testMethods(
  "CreateLoginCode is for the user of its caller; an admin names another",
  async (openWorld) => {
    await using world = await openWorld({ server: { auth: AUTH } });
    const { createLoginCode } = sessionHandlers(world.manager);
    const create = async (proof: object, isAdmin: boolean, uid?: bigint) => {
      const holder = { name: "eva", role: "operator", jobs: null, proof: JSON.stringify(proof) };
      const call = { caller: { name: "eva", isAdmin, holder } } as unknown as CallState;
      const { code } = await createLoginCode(createRequest(uid), call);
      const codes = await world.manager.sessions.waitingCodes();
      await world.manager.sessions.redeemCode(code);
      return codes[0]!.uid;
    };
    const member = { type: "member", uid: 1_000, role: "operator" };
    const token = { type: "token", digest: "x" };
    assert.equal(await create(member, false), 1_000);
    assert.equal(await create(member, false, 1_000n), 1_000);
    assert.equal(await create({ type: "owner", uid: 0 }, true), 0);
    assert.equal(await create({ type: "owner", uid: 0 }, true, 1_000n), 1_000);
    assert.equal(await create(token, true), null);
    assert.equal(await create(token, true, 1_000n), 1_000);
    for (const proof of [member, token]) {
      await assert.rejects(
        create(proof, false, 1_001n),
        (error) => isJobError(error, "permission_denied"),
      );
    }
    for (const uid of [-1n, 2n ** 32n - 1n]) {
      await assert.rejects(
        create(token, true, uid),
        (error) => isJobError(error, "invalid_argument"),
      );
    }
  },
);

function createRequest(uid: bigint | undefined) {
  return create(CreateLoginCodeRequestSchema, { uid });
}
