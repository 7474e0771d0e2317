import assert from "node:assert/strict";
import { test } from "node:test";
import type { NoticeType } from "../../src/core/notices/notice.ts";
import { renderHtml } from "../../src/notices/render/html.ts";
import { noticePayload } from "../../src/notices/render/payload.ts";
import { severityOf } from "../../src/notices/render/severity.ts";
import { renderText } from "../../src/notices/render/text.ts";
import { viewOf } from "../../src/notices/render/view.ts";
import { sampleDigest, sampleNotice } from "../support/notices/sample_notices.ts";

const OPTIONS = { channel: "ops", timezone: "Asia/Tokyo" };

test("viewOf() shows times in the configuration's zone, and when an incident began and ended", () => {
  const { run, incident } = sampleNotice();
  const closed = { ...incident!, closedAt: incident!.openedAt + 5_400_000, count: 3 };
  const rows = new Map(
    viewOf(sampleNotice({ type: "recovered", run, incident: closed }), OPTIONS).rows,
  );
  assert.equal(rows.get("Time"), "2026-01-15 18:30:00 +09:00");
  assert.equal(
    rows.get("Incident"),
    "from 2026-01-15 18:30:00 +09:00 to 2026-01-15 20:00:00 +09:00",
  );
});

test("viewOf() shows no control characters, and no fact that the title ends with", () => {
  const notice = sampleNotice({
    title: "a failed: no\u001b[31m",
    facts: ["no\u001b[31m", "Took\u202e 1m"],
    subject: { type: "job", name: "a\nb" },
  });
  const { title, facts, rows } = viewOf(notice, OPTIONS);
  assert.equal(title, "a failed: no\\x1b[31m");
  assert.deepEqual(facts, ["Took\\u202e 1m"]);
  assert.deepEqual(rows[0], ["Job", "a\\nb"]);
});

test("viewOf() keeps tabs of the output, drops its colors and cuts long lines", () => {
  const long = "x".repeat(2_001);
  const { output } = viewOf(
    sampleNotice({ output: ["a\tb\u001b[1;31mc\u001b[0m\r\n", long] }),
    OPTIONS,
  );
  assert.deepEqual(output, ["a\tbc", `${"x".repeat(2_000)}…`]);
});

test("viewOf() lists at most 200 lines of a digest, by job, and counts the rest", () => {
  const [item] = sampleDigest().items;
  const items = Array.from({ length: 402 }, (_, index) => ({
    ...item!,
    subject: { type: "job" as const, name: `job${index % 201}` },
  }));
  const { items: shown } = viewOf({ ...sampleDigest(), items }, OPTIONS);
  assert.equal(shown.length, 201);
  assert.deepEqual(shown.slice(0, 3).map(({ subject }) => subject), ["job0", "job0", "job1"]);
  assert.equal(shown.at(-1)!.subject, "and 202 more");
});

test("renderText() and renderHtml() leave out what a notice does not have", () => {
  const bare = sampleNotice({ run: null, incident: null, output: [], command: null, facts: [] });
  const view = viewOf(bare, OPTIONS);
  assert.equal(
    renderText(view),
    'backup failed: Command "tar" exited with code 2\n\nJob: backup\nTime: 2026-01-15 18:30:00 +09:00\n\n' +
      "-- \njobctl on db1, node berlin, channel ops\n",
  );
  assert.doesNotMatch(renderHtml(view, "error"), /<pre|<code|<p style="margin:8px/);
});

test("severityOf() gives every event a severity, and a digest that of the worst", () => {
  assert.equal(severityOf(sampleDigest()), "error");
  assert.equal(severityOf({ ...sampleDigest(), items: [] }), "info");
  const types: NoticeType[] = ["failed", "recovered", "store", "late", "test"];
  assert.deepEqual(types.map((type) => severityOf(sampleNotice({ type }))), [
    "error",
    "ok",
    "critical",
    "warning",
    "info",
  ]);
});

test("noticePayload() has the same keys for every notice", () => {
  const keys = (notice = sampleNotice()) => Object.keys(noticePayload(notice, "ops"));
  assert.deepEqual(keys(sampleNotice({ run: null, incident: null })), keys());
  assert.deepEqual(keys(sampleDigest()), keys());
  const { run } = sampleNotice();
  assert.equal(
    noticePayload(sampleNotice({ run: { ...run!, state: "timedOut" } }), "ops").run!.state,
    "timed_out",
  );
});
