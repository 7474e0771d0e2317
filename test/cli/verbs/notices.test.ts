import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobError } from "../../../src/core/errors.ts";
import { IncidentSchema, JobNoticesSchema, JobSchema } from "../../../src/rpc/gen/job_pb.ts";
import { job } from "../../support/worlds/cli_messages.ts";
import { cli, NOW } from "../../support/worlds/cli_world.ts";

const HOUR = 3_600_000;
const ID = "01938f2c-7d3e-7000-8000-000000000001";
const OTHER = "01938aaa-7d3e-7000-8000-000000000002";

function incident(changes: MessageInitShape<typeof IncidentSchema> = {}) {
  return create(IncidentSchema, {
    ...{ id: ID, type: "job", name: "backup", events: ["failed", "late"], count: 3n },
    openedAt: timestampFromMs(NOW - 2 * HOUR),
    lastAt: timestampFromMs(NOW - HOUR),
    ...{ lastError: "exit code 2", lastUuid: OTHER, lastExitCode: 2, notified: ["ops"] },
    ...changes,
  });
}

/** Answers a list of incidents. */
function listing(...incidents: readonly ReturnType<typeof incident>[]) {
  return { listIncidents: { incidents } };
}

const NODE = incident({ id: OTHER, type: "node", name: "web1", events: ["node-lost"], count: 1n });

test("incidents shows since when, what, how often, the last error and who knows", async () => {
  const known = { ...NODE, openedAt: timestampFromMs(NOW - HOUR), acknowledgedBy: "eva" };
  const run = await cli(["incidents"], {
    isTerminal: true,
    columns: 120,
    answers: listing(incident(), create(IncidentSchema, known)),
    env: { NO_COLOR: "1" },
  });
  assert.equal(run.code, 0, run.stderr);
  const rows = run.stdout.trimEnd().split("\n").map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(rows, [
    ["SINCE", "SUBJECT", "EVENTS", "COUNT", "LAST ERROR", "ACKNOWLEDGED BY"],
    ["1h ago", "node:web1", "node-lost", "1", "exit code 2", "eva"],
    ["2h ago", "backup", "failed, late", "3", "exit code 2", "-"],
  ]);
});

test("incidents writes every field as JSON, and asks for every page", async () => {
  const listIncidents = ({ pageToken, withClosed }: Record<string, unknown>) => ({
    incidents: [pageToken ? NODE : incident()],
    nextPageToken: pageToken || withClosed ? undefined : "t",
  });
  const run = await cli(["incidents"], { answers: { listIncidents } });
  const [first, second] = JSON.parse(run.stdout);
  assert.deepEqual(first, {
    ...{ id: ID, type: "job", name: "backup", events: ["failed", "late"] },
    opened_at: "2026-11-24T10:00:00.000Z",
    ...{ count: 3, last_at: "2026-11-24T11:00:00.000Z", last_error: "exit code 2" },
    ...{ last_instance_id: OTHER, last_exit_code: 2, notified: ["ops"] },
  });
  assert.equal(second.name, "web1");
  assert.equal(run.calls.length, 2);
});

test("incidents --all also shows closed ones, after the open ones", async () => {
  const closed = incident({ id: OTHER, name: "web", closedAt: timestampFromMs(NOW - 1_000) });
  const run = await cli(["incidents", "--all", "-o", "table"], {
    answers: listing(closed, incident()),
  });
  assert.equal(run.calls[0]?.request["withClosed"], true);
  const [head, ...rows] = run.stdout.trimEnd().split("\n");
  assert.match(head!, /^SINCE +CLOSED +SUBJECT/);
  assert.deepEqual(rows.map((row) => row.trim().split(/ {2,}/).slice(1, 3)), [
    ["open", "backup"],
    ["1s ago", "web"],
  ]);
});

test("incidents of an unknown job are not found", async () => {
  const getJob = () => {
    throw new JobError("not_found", 'Cannot find job "bakup": no such kind', {
      hint: 'Did you mean "backup"?',
    });
  };
  const run = await cli(["incidents", "bakup"], { answers: { getJob } });
  assert.equal(run.code, 4);
  assert.match(run.stderr, /Did you mean "backup"/);
  assert.equal(
    (await cli(["incidents", "backup"], { answers: { getJob: { job: job() } } })).code,
    0,
  );
});

test("incidents says that a daemon without channels keeps none", async () => {
  for (const [channels, isNoted] of [[[], true], [[{ name: "ops" }], false]] as const) {
    const run = await cli(["incidents"], {
      isTerminal: true,
      answers: { ...listing(), listChannels: { channels: [...channels] } },
    });
    assert.equal(run.code, 0);
    assert.equal(run.stderr.includes("has no channels: it keeps incidents only if"), isNoted);
  }
});

/** Words that name the incident of a job, and one of a node. */
const NAMES = [
  ["backup", ID],
  ["job:backup", ID],
  ["01938f2c", ID],
  ["01938F2C", ID],
  [ID, ID],
  ["node:web1", OTHER],
  ["01938a", OTHER],
] as const;

for (const [word, id] of NAMES) {
  test(`ack ${word} acknowledges exactly one incident, by its id`, async () => {
    const run = await cli(["ack", word], {
      answers: {
        ...listing(incident(), NODE),
        acknowledgeIncident: { incident: incident({ acknowledgedBy: "eva" }), changed: true },
      },
    });
    assert.equal(run.code, 0, run.stderr);
    const { request } = run.calls.find(({ method }) => method === "acknowledgeIncident")!;
    const [type, name] = id === ID ? ["job", "backup"] : ["node", "web1"];
    assert.deepEqual(request, { type, name, id, undo: false, close: false });
    assert.equal(JSON.parse(run.stdout).acknowledged_by, "eva");
  });
}

test("ack says what it acknowledged, or by whom it was before", async () => {
  for (const changed of [true, false]) {
    const run = await cli(["ack", "backup"], {
      isTerminal: true,
      env: { NO_COLOR: "1" },
      answers: {
        ...listing(incident()),
        acknowledgeIncident: { incident: incident({ acknowledgedBy: "eva" }), changed },
      },
    });
    assert.match(
      run.stdout,
      changed ? /^Acknowledged backup since/ : /^Already acknowledged/,
    );
    assert.match(run.stdout, /acknowledged by eva, failed, late \(3 times\): exit code 2/);
    assert.equal(run.code, 0);
  }
});

/** Words that fit no open incident. */
test("ack --close closes the incident, or says that the daemon cannot", async () => {
  const closed = { closedAt: timestampFromMs(NOW), closedReason: "closed by eva" };
  for (const own of [closed, {}]) {
    const run = await cli(["ack", "backup", "--close"], {
      answers: {
        ...listing(incident()),
        acknowledgeIncident: { incident: incident(own), changed: true },
      },
    });
    const { request } = run.calls.find(({ method }) => method === "acknowledgeIncident")!;
    assert.deepEqual(request, {
      ...{ type: "job", name: "backup", id: ID, undo: false, close: true },
    });
    if (own === closed) {
      assert.equal(run.code, 0, run.stderr);
      assert.equal(JSON.parse(run.stdout).closed_reason, "closed by eva");
    } else assert.match(run.stderr, /Cannot close the incident of "backup": it stays open/);
  }
  const both = await cli(["ack", "backup", "--close", "--undo"], {});
  assert.equal(both.code, 2);
});

test("ack --undo takes the acknowledgment back, or says that there was none", async () => {
  for (const changed of [true, false]) {
    const run = await cli(["ack", "backup", "--undo"], {
      isTerminal: true,
      env: { NO_COLOR: "1" },
      answers: { ...listing(incident()), acknowledgeIncident: { incident: incident(), changed } },
    });
    const { request } = run.calls.find(({ method }) => method === "acknowledgeIncident")!;
    assert.deepEqual(request, { type: "job", name: "backup", id: ID, undo: true, close: false });
    assert.match(
      run.stdout,
      changed ? /^No longer acknowledged: backup since/ : /^Was not acknowledged: backup/,
    );
    assert.equal(run.code, 0);
  }
  const none = await cli(["ack", "web", "--undo"], { answers: listing(incident()) });
  assert.match(none.stderr, /Cannot take back the acknowledgment of "web"/);
  assert.equal(none.code, 4);
});

for (const word of ["back", "backup2", "0193", "node:web", "web1", "node", "*", "ff00"]) {
  test(`ack ${word} acknowledges nothing`, async () => {
    const run = await cli(["ack", word], { answers: listing(incident(), NODE) });
    assert.equal(run.code, word === "0193" ? 2 : 4, run.stderr);
    assert.deepEqual(run.calls.map(({ method }) => method), ["listIncidents"]);
  });
}

test("ack refuses a word that fits several, and names their ids", async () => {
  const run = await cli(["ack", "store"], {
    answers: listing(
      incident({ name: "store" }),
      incident({ id: OTHER, type: "store", name: "sqlite:a.db" }),
    ),
  });
  assert.equal(run.code, 2);
  assert.match(run.stderr, new RegExp(`2 open incidents match\\nhint: .*${ID} \\(job:store\\)`));
});

const ECHO_ZONE = { listSchedules: { schedules: [] }, getJob: { job: { timezone: "Asia/Tokyo" } } };

test("silence names the job, the end in its zone and the reason, and says until when", async () => {
  const silence = {
    kind: "backup",
    since: timestampFromMs(NOW),
    until: timestampFromMs(NOW + 12 * HOUR),
    ...{ reason: "disk", by: "eva" },
  };
  const argv = ["silence", "backup", "--until", "9:00", "--reason", "disk"];
  const run = await cli(argv, {
    isTerminal: true,
    input: "",
    answers: { ...ECHO_ZONE, setSilence: { silence } },
  });
  assert.equal(run.code, 0, run.stderr);
  const { request } = run.calls.find(({ method }) => method === "setSilence")!;
  // 9:00 in Tokyo.
  const until = { seconds: BigInt(NOW / 1_000 + 12 * 3_600), nanos: 0 };
  assert.deepEqual(request, { kind: "backup", all: false, until, reason: "disk" });
  assert.match(run.stderr, /Silenced backup until .* \(in 12h\) by eva: disk/);
  assert.match(run.stdout, /backup +2026-11-25 00:00:00Z +in 12h +now +eva +disk/);
});

test("silence --all asks for everything, and only if it is said", async () => {
  const silence = { since: timestampFromMs(NOW), until: timestampFromMs(NOW + HOUR), by: "eva" };
  const run = await cli(["silence", "--all", "--until", "+1h"], {
    answers: { setSilence: { silence } },
  });
  assert.equal(run.code, 0, run.stderr);
  const { kind, all } = run.calls[0]!.request;
  assert.deepEqual([kind, all], [undefined, true]);
  assert.equal(JSON.parse(run.stdout).kind, undefined);
});

/** Command lines that must silence nothing and end nothing. */
const WRONG = [
  ["silence"],
  ["silence", "--until", "+1h"],
  ["silence", ""],
  ["silence", "", "--until", "+1h"],
  ["silence", "backup"],
  ["silence", "--all"],
  ["silence", "backup", "--all", "--until", "+1h"],
  ["silence", "backup", "web", "--until", "+1h"],
  ["silence", "backup", "--until", "soon"],
  ["silence", "backup", "--until", ""],
  ["silence", "backup", "--end", "--until", "+1h"],
  ["silence", "--end"],
  ["silence", "--end", "backup", "--all"],
  ["silence", "--end", "--all", "--reason", "x"],
  ["silence", "--al", "--until", "+1h"],
  ["ack"],
  ["ack", ""],
  ["ack", "backup", "web"],
  ["ack", "--all"],
  ["incidents", ""],
] as const;

for (const argv of WRONG) {
  test(`${argv.map((word) => word || '""').join(" ")} is refused before any call`, async () => {
    const run = await cli(argv);
    assert.equal(run.code, 2, run.stdout);
    assert.deepEqual(run.calls, []);
    assert.notEqual(run.stderr, "");
  });
}

test("silence --end says whether it ended, and what is still silenced", async () => {
  const until = timestampFromMs(NOW + HOUR);
  const run = await cli(["silence", "--end", "backup"], {
    isTerminal: true,
    input: "",
    answers: {
      removeSilence: { wasSilenced: true },
      listSilences: { silences: [{ until }, { kind: "web", until }] },
    },
  });
  assert.deepEqual(run.calls[0]?.request, { kind: "backup", all: false });
  assert.equal(run.stdout, "Ended the silence\n");
  assert.match(run.stderr, /Still silenced: everything\n/);
  const none = await cli(["silence", "--end", "--all"], { isTerminal: true, input: "" });
  assert.equal(none.code, 0);
  assert.match(none.stdout, /^Everything was not silenced\n$/);
});

test("list silences shows until when, since when, by whom and why", async () => {
  const silences = [{ until: timestampFromMs(NOW + HOUR), since: timestampFromMs(NOW), by: "eva" }];
  const run = await cli(["list", "silences"], { answers: { listSilences: { silences } } });
  assert.deepEqual(JSON.parse(run.stdout), [{
    ...{ until: "2026-11-24T13:00:00.000Z", reason: "", by: "eva" },
    since: "2026-11-24T12:00:00.000Z",
  }]);
});

test("notices list shows the channels", async () => {
  const channel = { name: "ops", to: "webhook", on: ["failed"], jobs: ["shop-*"] };
  const answers = { listChannels: { channels: [channel] } };
  const run = await cli(["notices", "list"], { answers });
  assert.deepEqual(JSON.parse(run.stdout), [{ ...channel, after: 0, quiet: [], limit: "" }]);
});

test("notices list shows all rules of channels as JSON, and in wide tables", async () => {
  const common = { to: "mail", on: ["failed"], jobs: ["*"] };
  const answers = {
    listChannels: {
      channels: [
        { name: "ops", ...common, after: 3, repeatMs: 14_400_000n },
        {
          ...{ name: "night", ...common, rate: "3/10", digestMs: 3_600_000n },
          ...{ quiet: ["22:00-07:00"], limit: "100/10m" },
        },
      ],
    },
  };
  const run = await cli(["notices", "list"], { answers });
  assert.deepEqual(JSON.parse(run.stdout), [
    { name: "ops", ...common, after: 3, repeat_ms: 14_400_000, quiet: [], limit: "" },
    {
      ...{ name: "night", ...common, after: 0, rate: "3/10", digest_ms: 3_600_000 },
      ...{ quiet: ["22:00-07:00"], limit: "100/10m" },
    },
  ]);
  const wide = await cli(["notices", "list", "-o", "wide"], { answers });
  const rows = wide.stdout.trimEnd().split("\n").map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(rows, [
    ["NAME", "TO", "ON", "JOBS", "AFTER", "REPEAT", "DIGEST", "QUIET", "LIMIT"],
    ["ops", "mail", "failed", "*", "3", "4h", "-", "-", "-"],
    ["night", "mail", "failed", "*", "3/10", "-", "1h", "22:00-07:00", "100/10m"],
  ]);
});

test("describe job shows what is expected, and the channels that result from notify", async () => {
  const channels = [
    { name: "ops", jobs: ["*"] },
    { name: "shop", jobs: ["shop-*"] },
    { name: "root", jobs: [] },
  ];
  const shown = async (init: MessageInitShape<typeof JobNoticesSchema>) => {
    const notices = create(JobNoticesSchema, init);
    const getJob = { job: create(JobSchema, { ...job(), kind: "backup", notices }) };
    const answers = { getJob, listChannels: { channels }, listIncidents: { incidents: [] } };
    const run = await cli(["describe", "job", "backup", "-o", "table"], { answers });
    const record = JSON.parse((await cli(["describe", "job", "backup"], { answers })).stdout);
    return { text: run.stdout, record };
  };
  const all = await shown({ expect: ["finish_within 3h", "learn"], silence: ["sat-sun"] });
  assert.match(all.text, /^Expected: +finish_within 3h, learn\nSilence: +sat-sun\n/m);
  assert.match(all.text, /^Notifies: +ops$/m);
  assert.deepEqual([all.record.channels, all.record.notices.expect], [["ops"], [
    "finish_within 3h",
    "learn",
  ]]);
  const named = await shown({ hasNotify: true, notify: ["*", "root"] });
  assert.match(named.text, /^Notifies: +ops, root \(notify = \["\*","root"\]\)$/m);
  assert.deepEqual(named.record.notices.notify, ["*", "root"]);
  const nobody = await shown({ hasNotify: true });
  assert.match(nobody.text, /^Notifies: +nobody \(notify = \[\]\)$/m);
});

test("notices test shows what was sent, and fails with 3 if it could not be delivered", async () => {
  const text = "POST /hook\nhost: a";
  const argv = ["notices", "test", "ops", "-o", "table"];
  const sent = await cli(argv, { answers: { testNotice: { text, isSent: true } } });
  assert.deepEqual([sent.code, sent.stdout], [0, `${text}\nDelivered\n`]);
  const request = { channel: "ops", dryRun: false, event: undefined };
  assert.deepEqual(sent.calls[0]?.request, request);
  const answered = { text, isSent: true, answer: "a.example answered 250 Ok" };
  for (const isTerminal of [true, false]) {
    const told = await cli(argv, { answers: { testNotice: answered }, isTerminal });
    assert.equal(told.stdout, `${text}\nDelivered: a.example answered 250 Ok\n`);
    assert.equal(told.stderr, "");
  }
  const some = { ...answered, problem: "The server has refused a@b.c for good" };
  const partly = await cli(argv, { answers: { testNotice: some } });
  assert.equal(partly.code, 3);
  assert.match(
    partly.stderr,
    /Cannot deliver to all recipients through channel "ops": The server has/,
  );
  const failed = await cli(argv, { answers: { testNotice: { text, problem: "refused\x1b[1m" } } });
  assert.equal(failed.code, 3);
  assert.match(failed.stderr, /^jobctl: Cannot deliver through channel "ops": refused\\x1b\[1m\n$/);
  const hinted = await cli(argv, {
    answers: { testNotice: { text, problem: "no STARTTLS", hint: "See tls" } },
  });
  assert.match(hinted.stderr, /: no STARTTLS\nhint: See tls\n$/);
  const dry = await cli([...argv, "--dry-run"], { answers: { testNotice: { text } } });
  assert.deepEqual([dry.code, dry.calls[0]?.request], [0, { ...request, dryRun: true }]);
  assert.equal(dry.stdout, `${text}\nNothing was sent\n`);
});

test("notices test sends the sample of an event, or lists the events", async () => {
  const answers = { testNotice: { text: "POST", isSent: true } };
  const run = await cli(["notices", "test", "ops", "--event", "missed"], { answers });
  assert.deepEqual(run.calls[0]?.request, { channel: "ops", dryRun: false, event: "missed" });
  const wrong = await cli(["notices", "test", "ops", "--event", "faild"], { answers });
  assert.deepEqual([wrong.code, wrong.calls], [2, []]);
  assert.match(wrong.stderr, /"faild": not one of failed, recovered, .*, output\n/);
  assert.match(wrong.stderr, /Did you mean "failed"/);
});

const STATUS = { node: "a", storeType: "memory" };

test("status shows the number of open incidents, the worst five, and silences", async () => {
  const many = Array.from(
    { length: 7 },
    (_, index) =>
      incident({
        id: ID.replace("0001", `000${index}`),
        name: `job${index}`,
        count: BigInt(index),
      }),
  );
  many[6] = incident({ name: "known", count: 99n, acknowledgedAt: timestampFromMs(NOW) });
  const silences = [{ until: timestampFromMs(NOW + HOUR), by: "eva", reason: "disk" }];
  const answers = { getStatus: STATUS, ...listing(...many), listSilences: { silences } };
  const run = await cli(["status"], { isTerminal: true, env: { NO_COLOR: "1" }, answers });
  assert.match(run.stdout, /^Incidents: +7 open, 1 of them acknowledged$/m);
  const shown = [...run.stdout.matchAll(/^Incident: +(\S+) since/gm)].map(([, name]) => name);
  assert.deepEqual(shown, ["job5", "job4", "job3", "job2", "job1"]);
  assert.match(run.stdout, /^Silenced: +everything until .* \(in 1h\) by eva: disk$/m);
  const record = JSON.parse((await cli(["status"], { answers })).stdout);
  assert.deepEqual([record.incidents.length, record.silences.length], [7, 1]);
});

test("status and describe job work with a daemon that has no incidents", async () => {
  const listIncidents = () => {
    throw new JobError("unimplemented", "Cannot call ListIncidents: unknown method");
  };
  const answers = { getStatus: STATUS, getJob: { job: job() }, listIncidents };
  assert.equal((await cli(["status"], { answers })).code, 0);
  assert.equal((await cli(["describe", "job", "backup"], { answers })).code, 0);
});

test("describe job shows the job's open incident", async () => {
  const answers = { getJob: { job: job() }, ...listing(incident()) };
  const run = await cli(["describe", "job", "backup"], { answers, isTerminal: true });
  assert.match(run.stdout, /Incident: .*backup since .* failed, late \(3 times\): exit code 2/);
  assert.equal(
    JSON.parse((await cli(["describe", "job", "backup"], { answers })).stdout).incident.id,
    ID,
  );
});

test("silence --end says that a window of the configuration stays", async () => {
  const until = timestampFromMs(NOW + HOUR);
  const run = await cli(["silence", "--end", "backup"], {
    isTerminal: true,
    input: "",
    answers: { listSilences: { silences: [{ kind: "backup", until, by: "config" }] } },
  });
  assert.match(run.stderr, /Still silenced: backup \(by the configuration\)\n/);
});

test("status shows at most five silences, and how many more there are", async () => {
  const until = timestampFromMs(NOW + HOUR);
  const silences = Array.from({ length: 7 }, (_, index) => ({ kind: `j${index}`, until, by: "a" }));
  const answers = { getStatus: STATUS, listSilences: { silences } };
  const run = await cli(["status"], { isTerminal: true, env: { NO_COLOR: "1" }, answers });
  assert.equal([...run.stdout.matchAll(/^Silenced: +j\d until/gm)].length, 5);
  assert.match(run.stdout, /^Silenced: +2 more: jobctl list silences$/m);
});

test("cancel instances --all counts no notices before it asks", async () => {
  const instances = ["report", "system.notice.ops", "system.notices"].map((kind) => ({ kind }));
  const answers = { lookupInstances: { instances } };
  const all = await cli(["cancel", "instances", "--all"], {
    ...{ isTerminal: true, input: "n\n", answers },
  });
  assert.match(all.stderr, /About to cancel 1 instance\. /);
  const named = ["cancel", "instances", "--kind", "system.notices"];
  const one = await cli(named, { isTerminal: true, input: "n\n", answers });
  assert.match(one.stderr, /About to cancel 3 instances/);
});
