import assert from "node:assert/strict";
import { test } from "node:test";
import { afterLook, GONE_MS, GONE_REASON } from "../../../src/core/notices/gone_subject.ts";
import type { Incident } from "../../../src/core/notices/incident.ts";
import type { NoticeEvent } from "../../../src/core/notices/notice.ts";
import { EMPTY_SUBJECT, type SubjectState } from "../../../src/core/notices/subject_state.ts";

const OPENED = 1_000;

function subject(more: Partial<SubjectState> = {}, own: Partial<Incident> = {}): SubjectState {
  const incident: Incident = {
    ...{ id: "1", subject: { type: "job", name: "work" }, events: ["failed"] },
    ...{ openedAt: OPENED, closedAt: null, count: 1, lastAt: OPENED, lastError: null },
    ...{ lastInstanceId: null, lastVersion: null, lastExitCode: null },
    ...{ acknowledgedBy: null, acknowledgedAt: null, notified: ["ops"], ...own },
  };
  return { ...EMPTY_SUBJECT, incident, streak: 1, notified: { ops: ["failed"] }, ...more };
}

const gone = (now: number) => ({ isGone: true, now });
const here = (now: number) => ({ isGone: false, now });

test("afterLook() notes when a subject is gone first, and forgets it when it is back", () => {
  const noted = afterLook(subject(), gone(5_000))!;
  assert.deepEqual(noted, subject({ goneSince: 5_000 }));
  assert.equal(afterLook(noted, gone(5_000 + GONE_MS - 1)), null);
  assert.deepEqual(afterLook(noted, here(6_000)), subject());
  assert.equal(afterLook(subject(), here(6_000)), null);
});

test("afterLook() closes the incident of what has been gone for a day", () => {
  const now = 5_000 + GONE_MS;
  const state = afterLook(subject({ goneSince: 5_000 }), gone(now))!;
  const closed = subject({ streak: 0, notified: {} }, { closedAt: now, closedReason: GONE_REASON });
  assert.deepEqual(state, closed);
  assert.equal(afterLook(state, gone(now + GONE_MS)), null);
});

test("afterLook() counts the day from the last event, and not from before the incident", () => {
  const now = 5_000 + GONE_MS;
  assert.equal(afterLook(subject({ goneSince: 5_000 }, { lastAt: 5_001 }), gone(now)), null);
  const earlier = subject({ goneSince: OPENED - 1 });
  assert.deepEqual(afterLook(earlier, gone(now)), subject({ goneSince: now }));
  // The clock of the store was set back.
  assert.deepEqual(
    afterLook(subject({ goneSince: now }), gone(9_000)),
    subject({ goneSince: 9_000 }),
  );
});

test("afterLook() leaves a job open whose code cannot be loaded, and one without an incident", () => {
  const events: readonly NoticeEvent[] = ["failed", "disabled"];
  assert.equal(afterLook(subject({}, { events }), gone(5_000)), null);
  const before = subject({ goneSince: 5_000 }, { events });
  assert.deepEqual(afterLook(before, gone(5_000 + GONE_MS)), subject({}, { events }));
  assert.equal(afterLook(EMPTY_SUBJECT, gone(5_000)), null);
});
