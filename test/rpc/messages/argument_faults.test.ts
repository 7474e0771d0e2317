import assert from "node:assert/strict";
import { isJobError } from "../../../src/core/errors.ts";
import { Manager } from "../../../src/index.ts";
import type { JobClient } from "../../../src/rpc/client/client.ts";
import type { FakeManager } from "../../support/worlds/fake_manager.ts";
import { type OpenWorld, testMethods } from "../../support/worlds/method_worlds.ts";

const PARAMS = "x: number, n: Int, big: bigint, name: string, flags?: boolean[], extra?: unknown";
const GOOD = [1, 2, "3", "four"] as const;

/** A manager with one typed job and one that takes anything, and a client of its server. */
async function withDaemon(
  openWorld: OpenWorld,
  action: (client: JobClient, manager: Manager) => Promise<void>,
): Promise<void> {
  const manager = new Manager({ workers: 0 });
  manager.registerJob({ kind: "typed", params: PARAMS, run: () => {} });
  manager.registerJob({ kind: "members", params: "o: Record<string, unknown>", run: () => {} });
  await manager.start();
  try {
    // The server needs only methods that both have.
    await using world = await openWorld({ manager: manager as unknown as FakeManager });
    await action(world.client(), manager);
  } finally {
    await manager.stop();
  }
}

async function storedCount(manager: Manager): Promise<number> {
  return (await manager.lookupInstances({})).items.length;
}

const JSON_FAULTS: readonly [name: string, json: string, path: string, message: RegExp][] = [
  ["too few", "[1, 2, 3]", "name", /argument "name" is missing/],
  ["none at all", "[]", "x", /argument "x" is missing/],
  ["too many", '[1, 2, 3, "four", [], 0, 7]', "", /with 7 arguments: it takes at most 6/],
  ["an unknown name", '{"x":1,"n":2,"big":3,"nmae":"four"}', "nmae", /no such argument/],
  ["the wrong type", '[true, 2, 3, "four"]', "x", /true is not a number/],
  ["text of the wrong type", '["12abc", 2, 3, "four"]', "x", /"12abc" is not a number/],
  ["a part of the wrong type", '[1, 2, 3, "four", [true, "x"]]', "flags[1]", /"x" is not true/],
  ["a fraction for a whole number", '[1, 2.5, 3, "four"]', "n", /2.5 is not a whole number/],
  ["out of range", '[1, 1e20, 3, "four"]', "n", /out of the range of a whole number/],
  ["out of the range of numbers", '[1e999, 2, 3, "four"]', "x", /Infinity is not a finite number/],
  ["1e20 for an integer", '[1, 2, 1e20, "four"]', "big", /is not an integer/],
  ["NaN as text", '["NaN", 2, 3, "four"]', "x", /"NaN" is not a number/],
  ["null for a number", '[null, 2, 3, "four"]', "x", /null is not a number/],
  ["null for text", "[1, 2, 3, null]", "name", /null is not a string/],
  [
    "2^53 + 1",
    '[9007199254740993, 2, 3, "four"]',
    "x",
    /9007199254740993n has more digits than a number holds/,
  ],
  ["2^53 for a whole number", '[1, 9007199254740992, 3, "four"]', "n", /out of the range/],
  ["2 MB", `[1, 2, 3, "${"a".repeat(2_000_000)}"]`, "", /more than 1048576 bytes of JSON/],
  ["half of a surrogate pair", '[1, 2, 3, "\\ud800"]', "", /no form for half of a surrogate pair/],
  ["nesting", `[1, 2, 3, "four", [], ${"[".repeat(300)}${"]".repeat(300)}]`, "", /200 levels/],
  ["no JSON", "[1, 2, NaN]", "arguments_json", /which is not JSON/],
  ["JSON of no arguments", "5", "arguments_json", /wanted an array/],
];

for (const [name, argumentsJson, path, message] of JSON_FAULTS) {
  testMethods(
    `fault 72: ${name} is INVALID_ARGUMENT at submit, and nothing is stored`,
    async (openWorld) => {
      await withDaemon(openWorld, async (client, manager) => {
        for (const extra of [{}, { dryRun: true }, { cron: "@daily" }]) {
          await assert.rejects(
            client.scheduleJob({ kind: "typed", argumentsJson, ...extra }),
            (error) => {
              assert.ok(isJobError(error, "invalid_argument"), String(error));
              assert.match(error.message, message);
              assert.equal(error.path ?? "", path);
              return true;
            },
          );
        }
        const requests = [
          { kind: "typed", argumentsJson: JSON.stringify(GOOD) },
          { kind: "typed", argumentsJson },
        ];
        await assert.rejects(client.scheduleJobs({ requests }), (error) => {
          return isJobError(error, "invalid_argument");
        });
        assert.equal(await storedCount(manager), 0);
        assert.equal((await manager.listSchedules({}, { limit: 9 })).items.length, 0);
      });
    },
  );
}

testMethods(
  "fault 72: 10 MB are refused before they are read, and nothing is stored",
  async (openWorld) => {
    await withDaemon(openWorld, async (client, manager) => {
      const text = "a".repeat(10_000_000);
      await assert.rejects(
        client.scheduleJob({ kind: "typed", argumentsJson: JSON.stringify([1, 2, 3, text]) }),
        (error) => isJobError(error, "resource_exhausted"),
      );
      await assert.rejects(
        manager.scheduleJob("typed", { arguments: [1, 2, 3n, text] }),
        (error) => isJobError(error, "invalid_argument"),
      );
      assert.equal(await storedCount(manager), 0);
    });
  },
);

const circle: unknown[] = [];
circle.push(circle);
const VALUES: readonly [name: string, extra: unknown][] = [
  ["NaN", NaN],
  ["an infinity in a list", [1, Infinity]],
  ["a function", () => 1],
  ["a symbol", { a: Symbol("s") }],
  ["a circle", circle],
  ["an invalid Date", new Date(NaN)],
  ["a promise", Promise.resolve(1)],
];

for (const [name, extra] of VALUES) {
  testMethods(
    `fault 72: ${name} of no known type is refused by the library, and nothing is stored`,
    async (openWorld) => {
      await withDaemon(openWorld, async (_client, manager) => {
        const input = { arguments: [1, 2, 3n, "four", [], extra] };
        await assert.rejects(manager.scheduleJob("typed", input), (error) => {
          return isJobError(error, "invalid_argument");
        });
        assert.throws(() => manager.previewJob("typed", input));
        assert.equal(await storedCount(manager), 0);
      });
    },
  );
}

testMethods("good arguments are stored as their types have them", async (openWorld) => {
  await withDaemon(openWorld, async (client, manager) => {
    const argumentsJson = '["1.5", 2, 9007199254740993, "four"]';
    const { instance } = await client.scheduleJob({ kind: "typed", argumentsJson });
    assert.deepEqual(instance?.arguments, ["1.5", "2", "9007199254740993", "four"]);
    const [stored] = (await manager.lookupInstances({})).items;
    assert.equal(stored?.argumentsJson, '[1.5,2,"9007199254740993","four"]');
  });
});

const HOSTILE = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';

testMethods("fault 59: hostile keys of arguments are plain data", async (openWorld) => {
  await withDaemon(openWorld, async (client, manager) => {
    await client.scheduleJob({ kind: "members", argumentsJson: `[${HOSTILE}]` });
    await client.scheduleJob({ kind: "members", arguments: [HOSTILE] });
    await client.scheduleJob({ kind: "members", argumentsJson: `{"o":${HOSTILE}}` });
    const { items } = await manager.lookupInstances({});
    assert.deepEqual(items.map(({ argumentsJson }) => argumentsJson), [
      `[${HOSTILE}]`,
      `[${HOSTILE}]`,
      `[${HOSTILE}]`,
    ]);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });
});

testMethods("fault 59: a hostile name of an argument is refused", async (openWorld) => {
  await withDaemon(openWorld, async (client, manager) => {
    for (const name of ["__proto__", "constructor", "prototype", "toString"]) {
      const argumentsJson = `{"${name}":{"polluted":1},"o":{}}`;
      await assert.rejects(
        client.scheduleJob({ kind: "members", argumentsJson }),
        (error) => isJobError(error, "invalid_argument") && error.path === name,
      );
    }
    assert.equal(await storedCount(manager), 0);
  });
});
