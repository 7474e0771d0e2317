import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { GetCallerResponseSchema } from "../../../src/rpc/gen/job_pb.ts";
import { displayWidth } from "../../../src/cli/output/table.ts";
import { Overview, type OverviewLook } from "../../../src/cli/top/overview.ts";
import { NO_DATA, withMessage } from "../../../src/cli/top/top_data.ts";
import { NOW } from "../../support/worlds/cli_world.ts";
import { runningOf, wholeMessage } from "../../support/worlds/top_messages.ts";

// The clock at the right is in the zone of the machine.
const CLOCK = /\d\d:\d\d:\d\d$/;
const LOOK: OverviewLook = { nowMs: NOW, hasColor: false, isAway: false, caller: null };

function overviewOf(message = wholeMessage()): Overview {
  const overview = new Overview();
  overview.data = withMessage(NO_DATA, message);
  return overview;
}

function screenOf(
  overview: Overview,
  size: { readonly rows: number; readonly columns: number },
  look = LOOK,
): string {
  const lines = overview.lines(size, look).map((line) =>
    // deno-lint-ignore no-control-regex
    line.replaceAll(/\u001b\[\d*m/g, "").trimEnd().replace(CLOCK, "12:00:00")
  );
  assert.ok(lines.length <= size.rows);
  for (const line of lines) {
    assert.ok(displayWidth(line) <= size.columns, line);
    assert.doesNotMatch(line, /\p{Cc}|\u202e/u);
  }
  return `\n${lines.join("\n")}\n`;
}

const SCREENS: readonly (readonly [columns: number, rows: number, screen: string])[] = [
  [
    60,
    19,
    `
web1  0.1.0  up 1d2h  3 of 8 workers busy           12:00:00
3 running  12 waiting  3211 done  2 failed  0 canceled
Paused: mail
Running (3)
> 00a1b2c3  report        2m5s      ██░░░ 45 %  41.2 MiB, w…
  00d4e5f6  バックアップ  2m5s      7           attempt 3, …
  000a0b0c  \\x1b[2Jhost…  2m5s                  canceling, …
Next (2)
            sync-orders   in 2m13s  config:sync-orders:0
  00778899  mail          in 2h     paused
Failed (2)
  00112233  sync-orders   1h ago    exit 75: the shop does …
  00445566  import        1h ago    \\x1b]0;owned\\x07 could …
Incidents (1)
  sync-orders  failed × 3  1h30m ago  exit 75: the shop doe…
Nodes (2)
  web1  live  3 of 8 busy  gpu
  web2  lost  seen 1m ago
`,
  ],
  [
    80,
    23,
    `
web1  0.1.0  up 1d2h  3 of 8 workers busy                               12:00:00
3 running  12 waiting  3211 done  2 failed  0 canceled
Paused: mail

Running (3)
> 00a1b2c3  report            2m5s      ████░░░░░░ 45 %  41.2 MiB, web1
  00d4e5f6  バックアップ      2m5s      7                attempt 3, web1
  000a0b0c  \\x1b[2Jhostile\\…  2m5s                       canceling, web1

Next (2)
            sync-orders       in 2m13s  config:sync-orders:0
  00778899  mail              in 2h     paused

Failed (2)
  00112233  sync-orders       1h ago    exit 75: the shop does not respond
  00445566  import            1h ago    \\x1b]0;owned\\x07 could not read the fil…

Incidents (1)
  sync-orders  failed × 3  1h30m ago  exit 75: the shop does not respond

Nodes (2)
  web1  live  3 of 8 busy  0.1.0  gpu
  web2  lost  seen 1m ago  0.1.0
`,
  ],
  [
    120,
    39,
    `
web1  0.1.0  up 1d2h  3 of 8 workers busy                                                                       12:00:00
3 running  12 waiting  3211 done  2 failed  0 canceled
Paused: mail

Running (3)
> 00a1b2c3  report                2m5s      ████░░░░░░ 45 %  41.2 MiB, web1
  00d4e5f6  バックアップ          2m5s      7                attempt 3, web1
  000a0b0c  \\x1b[2Jhostile\\u202e  2m5s                       canceling, web1

Next (2)
            sync-orders           in 2m13s  config:sync-orders:0
  00778899  mail                  in 2h     paused

Failed (2)
  00112233  sync-orders           1h ago    exit 75: the shop does not respond
  00445566  import                1h ago    \\x1b]0;owned\\x07 could not read the file of the day

Incidents (1)
  sync-orders  failed × 3  1h30m ago  exit 75: the shop does not respond

Nodes (2)
  web1  live  3 of 8 busy  0.1.0  gpu
  web2  lost  seen 1m ago  0.1.0
`,
  ],
];

for (const [columns, rows, screen] of SCREENS) {
  test(`Overview fits ${columns} columns and ${rows} rows`, () => {
    assert.equal(screenOf(overviewOf(), { columns, rows }), screen);
  });
}

test("Overview keeps the selected row in sight, and selected as rows come and go", () => {
  const many = (from: number, count: number) =>
    wholeMessage({
      running: {
        instances: [...Array(count)].map((_, index) =>
          runningOf("report", String(100_000 + from + index))
        ),
      },
    });
  const size = { rows: 20, columns: 60 };
  const overview = overviewOf(many(0, 50));
  const selected = () => screenOf(overview, size).match(/^> (\S+)/m)?.[1];
  assert.equal(selected(), "00100000");
  overview.move(30);
  assert.equal(selected(), "00100030");
  overview.data = withMessage(overview.data, many(20, 50));
  assert.equal(selected(), "00100030");
  overview.data = withMessage(overview.data, many(40, 50));
  // It has ended: the one in its place is selected.
  assert.equal(selected(), "00100050");
  overview.move(-Infinity);
  assert.equal(selected(), "00100040");
  overview.data = withMessage(overview.data, many(0, 0));
  assert.equal(overview.selected?.key.split(" ")[0], "running");
  screenOf(overview, size);
  assert.equal(overview.selected?.key.split(" ")[0], "upcoming");
});

test("Overview goes from part to part, around", () => {
  const overview = overviewOf();
  screenOf(overview, { rows: 30, columns: 80 });
  const parts = [...Array(6)].map(() => {
    const part = overview.selected!.key.split(" ")[0];
    overview.moveSections(1);
    return part;
  });
  assert.deepEqual(parts, ["running", "upcoming", "failure", "incident", "node", "running"]);
  overview.moveSections(-1);
  overview.moveSections(-1);
  assert.equal(overview.selected!.key.split(" ")[0], "node");
});

test("Overview shows only kinds that contain the filter", () => {
  const overview = overviewOf();
  overview.filter = "SYNC";
  const screen = screenOf(overview, { rows: 24, columns: 80 });
  assert.match(screen, /Only kinds with "SYNC": Esc shows all/);
  assert.match(screen, /Running: nothing/);
  assert.match(screen, /Failed \(1\)/);
  assert.doesNotMatch(screen, /import|Nodes/);
});

test("Overview says what is wrong, and who may only look", () => {
  const overview = overviewOf(wholeMessage({
    status: {
      ...{ node: "web1", version: "0.1.0", isDraining: true, storeProblem: "disk is full" },
      disabled: [{ kind: "old", reason: "no file" }],
    },
    pauses: { pauses: [{ reason: "" }] },
  }));
  const caller = create(GetCallerResponseSchema, { name: "ci", role: "viewer" });
  const screen = screenOf(overview, { rows: 24, columns: 80 }, { ...LOOK, isAway: true, caller });
  const [, head, , ...alerts] = screen.split("\n");
  assert.match(head!, /^web1 {2}0\.1\.0 {2}viewer/);
  assert.deepEqual(alerts.slice(0, 3), [
    "disconnected, trying again",
    "Store: disk is full",
    "The daemon is stopping: it starts no more runs",
  ]);
});

test("withMessage() keeps what a message does not have", () => {
  const before = withMessage(NO_DATA, wholeMessage());
  const after = withMessage(
    before,
    wholeMessage({
      ...{ isWhole: false, status: undefined, running: { instances: [] }, upcoming: undefined },
      ...{ failures: undefined, incidents: undefined, pauses: undefined, nodes: undefined },
      problem: "the store is busy",
    }),
  );
  assert.deepEqual(after.running, []);
  assert.equal(after.upcoming, before.upcoming);
  assert.equal(after.status, before.status);
  assert.equal(after.problem, "the store is busy");
  assert.equal(withMessage(after, wholeMessage()).problem, null);
});
