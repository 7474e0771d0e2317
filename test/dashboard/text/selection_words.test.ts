import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { shellWord } from "../../../src/core/text/shell_word.ts";
import {
  conditionsOf,
  filterOf,
  type InstanceFilter,
  selectionWords,
} from "../../../src/dashboard/pages/instances/filter.ts";
import { stateName } from "../../../src/cli/io/wire.ts";
import type { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { instance } from "../../support/worlds/cli_messages.ts";
import { cli } from "../../support/worlds/cli_world.ts";

const RUNS = 200;

/** Values of each member: a member without values does not compile. */
const VALUES: Readonly<Record<keyof InstanceFilter, readonly string[]>> = {
  kind: ["mail", "a,b", "-x", "two words", "it's", "*", "--all"],
  states: ["scheduled", "processing", "completed", "terminated", "timed_out", "cancelled"],
  after: ["2026-11-01T00:00:00Z", "2026-11-02T10:20:30.400Z"],
  before: ["2026-11-03T00:00:00Z"],
  scheduleId: ["config:mail:0", "-1"],
  uniqueKey: ["order 7", "--yes", "a,b", "'\"$x`"],
  text: ["customer-42", "-v", "a=b", "--", "*", 'ü, "x"', "two  blanks "],
  node: ["berlin-2", "-n"],
  tag: ["gpu"],
  parentId: ["019b77c0-0000-7000-8000-000000000001", "0193"],
  flowId: ["019b77c0-0000-7000-8000-000000000002"],
};
/** Members of the filter by the parameter of the URL. */
const URL_NAMES: Readonly<Record<string, keyof InstanceFilter>> = {
  ...{ kind: "kind", state: "states", after: "after", before: "before", schedule: "scheduleId" },
  ...{ key: "uniqueKey", text: "text", node: "node", tag: "tag" },
  ...{ parent: "parentId", flow: "flowId" },
};
const KINDS = VALUES.kind;

/** The query of a request as the conditions of the API, whatever fields it uses. */
function conditionsIn(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { kind, kinds, state, states, after, before, ...others } = query;
  const list = <T>(one: unknown, many: unknown) => [one ?? [], many ?? []].flat() as T[];
  const time = (at: unknown) => {
    const { seconds, nanos } = at as { seconds: bigint; nanos: number };
    return Number(seconds) * 1_000 + nanos / 1e6;
  };
  const { pageSize: _, pageToken: __, dead: ___, uuids: ____, ...texts } = others;
  return {
    kinds: list(kind, kinds),
    states: list<JobState>(state, states).map((one) => stateName(one)!.toLowerCase()),
    after: after === undefined ? null : time(after),
    before: before === undefined ? null : time(before),
    ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== undefined)),
  };
}

/** The same of what the dashboard sends; all jobs here need the tag. */
function conditionsSent(filter: InstanceFilter): Record<string, unknown> {
  const {
    kind,
    states = [],
    after,
    before,
    tag,
    schedule_id,
    unique_key,
    text,
    node,
    parent_id,
    flow_id,
  } = conditionsOf(filter);
  return {
    kinds: kind !== undefined ? [kind] : tag !== undefined ? KINDS : [],
    states: states.map((one) => one.replace("_", "")),
    after: after === undefined ? null : Date.parse(after),
    before: before === undefined ? null : Date.parse(before),
    ...(schedule_id === undefined ? {} : { scheduleId: schedule_id }),
    ...(unique_key === undefined ? {} : { uniqueKey: unique_key }),
    ...(text === undefined ? {} : { text }),
    ...(node === undefined ? {} : { node }),
    ...(parent_id === undefined ? {} : { parentId: parent_id }),
    ...(flow_id === undefined ? {} : { flowId: flow_id }),
  };
}

const VERBS = [
  { words: ["list", "instances"], method: "lookupInstances", states: VALUES.states },
  { words: ["list", "dead"], method: "lookupInstances", states: ["terminated", "timed_out"] },
  { words: ["redrive"], method: "redriveInstances", states: ["terminated", "timed_out"] },
  {
    ...{ words: ["cancel", "instances"], method: "cancelInstances" },
    states: ["scheduled", "processing"],
  },
] as const;

/** The words as a shell reads the command that the dashboard shows. */
function asShellReads(words: readonly string[]): readonly string[] {
  const line = words.map(shellWord).join(" ");
  const read = execFileSync("/bin/sh", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" });
  return read.split("\0").slice(0, -1);
}

async function assertSelectsTheSame(url: URLSearchParams, verb: typeof VERBS[number]) {
  const filter = filterOf(url);
  const words = asShellReads(selectionWords(filter));
  const line = [...verb.words, ...words, ...(verb.words[0] === "list" ? [] : ["--yes"])];
  const jobs = KINDS.map((kind) => ({ kind, needs: ["gpu"] }));
  const run = await cli(line, {
    answers: {
      // The command looks for the instances that `--flow` and `--parent` name.
      getInstance: ({ uuid }: { readonly uuid: string }) => ({ instance: instance({ uuid }) }),
      listRegisteredJobs: { jobs },
      lookupInstances: {},
      cancelInstances: { count: 1n },
      redriveInstances: {},
    },
  });
  assert.equal(run.code, 0, `${line.join(" ")}: ${run.stderr}`);
  const request = run.calls.find(({ method }) => method === verb.method)!.request;
  const asked = conditionsIn(request.query as Record<string, unknown>);
  assert.deepEqual(asked, conditionsSent(filter), line.join(" "));
  assert.ok(!("all" in request) || request.all === false, line.join(" "));
}

test("each member of the filter has a parameter of the URL", () => {
  assert.deepEqual(new Set(Object.values(URL_NAMES)), new Set(Object.keys(VALUES)));
});

for (const verb of VERBS) {
  test(`jobctl ${verb.words.join(" ")} as the dashboard shows it selects what the dashboard does`, async () => {
    for (const [name, member] of Object.entries(URL_NAMES)) {
      for (const value of member === "states" ? verb.states : VALUES[member]) {
        await assertSelectsTheSame(new URLSearchParams([[name, value]]), verb);
      }
    }
    const random = seededRandom(7);
    for (let index = 0; index < RUNS; index++) {
      const pairs = Object.entries(URL_NAMES).flatMap(([name, member]) => {
        if (random.next() < 0.6) return [];
        const values: readonly string[] = member === "states" ? verb.states : VALUES[member];
        return [[name, values[Math.floor(random.next() * values.length)]!]];
      });
      if (pairs.length > 0) await assertSelectsTheSame(new URLSearchParams(pairs), verb);
    }
  });
}
