import assert from "node:assert/strict";
import test from "node:test";
import { countWords, flowLines, type FlowMember } from "../../../src/core/flow/flow_tree.ts";
import type { JobState } from "../../../src/core/state.ts";

function one(
  id: string,
  kind: string,
  parentId?: string,
  state: JobState = "completed",
): FlowMember {
  return parentId === undefined ? { id, kind, state } : { id, parentId, kind, state };
}

/** The lines as text: the ids of single instances, the number of summed-up ones. */
function drawn(members: readonly FlowMember[], wantedId?: string): string[] {
  return flowLines(members, wantedId).map(({ lead, kind, members, isSum }) =>
    `${lead}${kind} ${isSum ? `× ${members.length}` : members[0]!.id}`
  );
}

test("flowLines() draws children below their parents, and orphans at the top", () => {
  const members = [
    one("a", "order"),
    one("b", "report", "a"),
    one("c", "mail", "b"),
    one("d", "ship", "a"),
    one("e", "mail", "deleted"),
  ];
  assert.deepEqual(drawn(members), [
    "order a",
    "├─ report b",
    "│  └─ mail c",
    "└─ ship d",
    "mail e",
  ]);
});

test("flowLines() sums up all but ten children of a kind, except the wanted one", () => {
  const states: Readonly<Record<string, JobState>> = {
    m5: "terminated",
    m6: "scheduled",
    m9: "processing",
  };
  const mails = Array.from({ length: 12 }, (_, n) => one(`m${n}`, "mail", "a", states[`m${n}`]));
  const members = [one("a", "order"), ...mails, one("x", "part", "m11")];
  const lines = drawn(members);
  assert.deepEqual(lines.slice(1, 5).map((line) => line.slice(3)), [
    "mail m9",
    "mail m5",
    "mail m6",
    "mail m0",
  ]);
  assert.equal(lines.at(-1), "└─ mail × 2");
  assert.equal(drawn(members.slice(0, 11)).length, 11);
  assert.deepEqual(drawn(members, "x").slice(1, 3), ["├─ mail m11", "│  └─ part x"]);
});

test("flowLines() draws a chain of thousands with a bounded indent, and ends on a circle", () => {
  const chain = Array.from({ length: 10_000 }, (_, n) => one(`${n}`, "next", `${n - 1}`));
  const lines = flowLines(chain, "9999");
  assert.equal(lines.length, 10_000);
  assert.ok(lines.at(-1)!.lead.length <= 63);
  assert.deepEqual(flowLines([one("a", "loop", "b"), one("b", "loop", "a")], "a"), []);
});

test("countWords() counts each word", () => {
  assert.equal(countWords(["done", "failed", "done"]), "2 done, 1 failed");
});
