import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorInfo } from "../../../src/core/instance.ts";
import type { NoticeEvent } from "../../../src/core/notices/notice.ts";
import { factsOf, titleOf } from "../../../src/core/notices/notice_text.ts";
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
