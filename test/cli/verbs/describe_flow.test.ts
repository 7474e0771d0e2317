import assert from "node:assert/strict";
import test from "node:test";
import { ID, instance } from "../../support/worlds/cli_messages.ts";
import { type Call, cli } from "../../support/worlds/cli_world.ts";
import { stateOfName } from "../../../src/cli/io/wire.ts";

const DONE = stateOfName("completed")!;
const idOf = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

function queryOf(call: Call | undefined): Record<string, unknown> {
  return call?.request.query as Record<string, unknown>;
}

/** A flow of an order, whose report called 12 mails, of which the last failed. */
function flow() {
  const [root, report] = [idOf(1), idOf(2)];
  const child = (n: number, parentId: string, changes: Parameters<typeof instance>[0] = {}) =>
    instance({ uuid: idOf(n), parentId, flowId: root, state: DONE, ...changes });
  return [
    instance({
      uuid: root,
      kind: "order",
      state: stateOfName("scheduled")!,
      reason: "parked",
      waits: [{ type: "signal", name: "approved" }],
    }),
    child(2, root, { kind: "report" }),
    ...Array.from(
      { length: 12 },
      (_, n) =>
        child(10 + n, report, {
          kind: "mail",
          state: n === 11 ? stateOfName("terminated")! : DONE,
        }),
    ),
    child(3, root, { kind: "ship" }),
  ];
}

test("describe flow shows the tree of any of its instances, those that failed first", async () => {
  const answers = {
    getInstance: { instance: instance({ uuid: idOf(2), flowId: idOf(1) }) },
    lookupInstances: { instances: flow() },
  };
  const { code, stdout, calls } = await cli(["describe", "flow", idOf(2), "-o", "table"], {
    answers,
  });
  assert.equal(code, 0);
  assert.equal(queryOf(calls.find(({ method }) => method === "lookupInstances")).flowId, idOf(1));
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], `Flow ${idOf(1)}: 15 instances (1 parked, 13 done, 1 failed)`);
  assert.match(lines[3]!, /^order .* parked .* waits for signal "approved"/);
  assert.match(lines[4]!, /^├─ report .* done/);
  assert.match(lines[5]!, /^│ {2}├─ mail .* failed/);
  assert.match(lines[15]!, /^│ {2}└─ mail × 2 .* 2 done/);
  assert.match(lines[16]!, /^└─ ship .* done/);
});

test("--flow and --parent take a part of an id and last:KIND", async () => {
  const answers = {
    lookupInstances: { instances: [instance({ uuid: ID, kind: "nightly", flowId: idOf(1) })] },
    cancelInstances: { instances: [] },
  };
  const { calls } = await cli(["cancel", "--flow", "last:nightly", "--yes"], { answers });
  assert.equal(calls.at(-1)?.method, "cancelInstances");
  assert.equal(queryOf(calls.at(-1)).flowId, idOf(1));
  const list = await cli(["list", "instances", "--parent", "last:nightly"], { answers });
  assert.equal(queryOf(list.calls.at(-1)).parentId, ID);
});
