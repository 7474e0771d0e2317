import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorInfo } from "../../../src/core/instance.ts";
import type { Incident } from "../../../src/core/notices/incident.ts";
import type { NoticeEvent } from "../../../src/core/notices/notice.ts";
import {
  commandOf,
  detailOf,
  digestTitleOf,
  factsOf,
  titleOf,
} from "../../../src/core/notices/notice_text.ts";
import { sampleNotice } from "../../support/notices/sample_notices.ts";

const OUTPUT_END = "\ntar: /srv: Cannot open\ntar: Exiting";

function toldOf(event: NoticeEvent, error: ErrorInfo | null = null) {
  const { run, subject } = sampleNotice();
  const failed = { ...run!, error };
  return { event, subject, run: failed, incident: null, isReminder: false, detail: null, now: 0 };
}

test("titleOf() ends with the first line of the error", () => {
  const error = { name: "CommandError", message: `Command "tar" exited with code 2${OUTPUT_END}` };
  assert.equal(
    titleOf(toldOf("failed", error)),
    'backup failed: Command "tar" exited with code 2',
  );
});

test("titleOf() says in a reminder that it is still so", () => {
  const titles = (["failed", "late", "long", "missed", "disabled"] as const)
    .map((event) => titleOf({ ...toldOf(event), run: null, isReminder: true }));
  assert.deepEqual(titles, [
    "backup is still failing",
    "backup is still late",
    "backup is still taking too long",
    "backup has still not run as expected",
    "backup is still disabled",
  ]);
});

test("factsOf() leaves out the output in a command's error, and keeps all of another error", () => {
  const command = { name: "CommandError", message: `exited with code 2${OUTPUT_END}` };
  const other = { name: "Error", message: "cannot read:\n  row 1\n  row 2" };
  assert.equal(factsOf(toldOf("failed", command))[0], "exited with code 2");
  assert.equal(factsOf(toldOf("failed", other))[0], "cannot read: row 1 row 2");
});

test("titleOf() says why a run is late, not why its last attempt failed", () => {
  const error = { name: "CommandError", message: "exited with code 1", exitCode: 1 };
  const late = {
    ...toldOf("late", error),
    detail: "due 3m ago and not finished; expected within 2m",
  };
  assert.equal(titleOf(late), "backup is late: due 3m ago and not finished; expected within 2m");
  assert.equal(factsOf(late)[0], "due 3m ago and not finished; expected within 2m");
  assert.equal(detailOf(late), "due 3m ago and not finished; expected within 2m");
});

test("titleOf() repeats in a reminder no duration of before, and factsOf() says since when", () => {
  const { incident } = sampleNotice();
  const open = { ...incidentOf(), ...incident, lastError: "for 1m10s", openedAt: 0 };
  const told = { ...toldOf("workers-busy"), run: null, incident: open, isReminder: true };
  const reminder = { ...told, detail: "for 1m10s", now: 7_200_000 };
  assert.equal(titleOf(reminder), "backup still has no free worker");
  assert.deepEqual(factsOf(reminder), ["Last report: for 1m10s", "Open for 2h"]);
  assert.equal(detailOf(reminder), "still open");
});

test("titleOf() tells how long a short incident lasted", () => {
  const closed = { ...incidentOf(), openedAt: 1_000, closedAt: 1_640 };
  assert.equal(
    titleOf({ ...toldOf("recovered"), incident: closed }),
    "backup recovered after 640ms",
  );
});

test("digestTitleOf() names what is wrong, and counts the rest", () => {
  const item = { firstAt: 0, lastAt: 0, detail: null, instanceId: null, count: 1 };
  const subject = (name: string) => ({ type: "job" as const, name });
  const items = [
    { ...item, event: "recovered" as const, subject: subject("a") },
    { ...item, event: "failed" as const, subject: subject("flip"), count: 3 },
    { ...item, event: "late" as const, subject: subject("b") },
  ];
  assert.equal(digestTitleOf("Digest", items), "Digest: flip failed 3 times, and 2 more events");
  assert.equal(digestTitleOf("Digest", items.slice(0, 1)), "Digest: a recovered");
  assert.equal(digestTitleOf("Digest", []), "Digest");
});

function incidentOf(): Incident {
  return {
    ...{ id: "1", subject: { type: "job", name: "backup" }, events: ["failed"], openedAt: 0 },
    ...{ closedAt: null, count: 1, lastAt: 0, lastError: null, lastInstanceId: null },
    ...{ lastVersion: null, lastExitCode: null, acknowledgedBy: null, acknowledgedAt: null },
    notified: [],
  };
}

test("commandOf() quotes a kind that a shell would execute", () => {
  const subject = { ...sampleNotice().subject, name: "; rm $(id)" };
  assert.equal(commandOf({ subject, run: null }), "jobctl explain '; rm $(id)'");
});
