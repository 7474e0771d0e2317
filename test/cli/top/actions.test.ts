import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  GetCallerResponseSchema,
  IncidentSchema,
  PauseEntrySchema,
  UpcomingRunSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import {
  acknowledgeAction,
  type Action,
  cancelAction,
  pauseAction,
  type Refusal,
  refusalFor,
  retryAction,
} from "../../../src/cli/top/actions.ts";
import type { Subject } from "../../../src/cli/top/sections.ts";
import { failedOf, idOf, runningOf } from "../../support/worlds/top_messages.ts";

const RUNNING: Subject = { type: "running", instance: runningOf("report", "a1b2c3") };
const FAILED: Subject = { type: "failure", instance: failedOf("report", "a1b2c3", "oh") };
const run = (fields: object): Subject => ({
  type: "upcoming",
  run: create(UpcomingRunSchema, { kind: "report", ...fields }),
});

const textOf = (given: Action | Refusal) => "question" in given ? given.question : given.refusal;

test("cancelAction() says what will be canceled, and refuses what cannot be", () => {
  assert.match(textOf(cancelAction(RUNNING)), /^Cancel report 00a1b2c3, which is running\?/);
  assert.match(
    textOf(cancelAction(run({ uuid: idOf("77") }))),
    /^Cancel report 00000077, which waits/,
  );
  assert.ok("refusal" in cancelAction(run({ scheduleId: "config:report:0" })));
  assert.ok("refusal" in cancelAction(FAILED));
});

test("retryAction() runs only what has ended again, and says if that was done before", () => {
  assert.match(textOf(retryAction(FAILED)), /^Run report 00a1b2c3 again, as a new instance/);
  const instance = { ...failedOf("report", "a1b2c3", "oh"), redrivenAs: idOf("99") };
  assert.match(textOf(retryAction({ type: "failure", instance })), /already run again as 00000099/);
  assert.ok("refusal" in retryAction(RUNNING));
  assert.ok("refusal" in retryAction(run({ uuid: idOf("77") })));
});

test("retryAction() runs a schedule now", async () => {
  const action = retryAction(run({ scheduleId: "config:report:0" }));
  assert.match(textOf(action), /^Run report now, as its schedule config:report:0 does\?/);
  const asked: unknown[] = [];
  const runSchedule = (request: unknown) => {
    asked.push(request);
    return Promise.resolve({ instance: failedOf("report", "abcdef", "") });
  };
  assert.equal(await (action as Action).run({ runSchedule } as never), "Runs as 00abcdef");
  assert.deepEqual(asked, [{ kind: "report", scheduleId: "config:report:0" }]);
});

test("acknowledgeAction() acknowledges an incident, and takes that back", async () => {
  const incident = (fields: object): Subject => ({
    type: "incident",
    incident: create(IncidentSchema, { id: "i1", type: "job", name: "report", ...fields }),
  });
  const open = acknowledgeAction(incident({}));
  assert.match(textOf(open), /^Acknowledge the incident of job report\? No more reminders/);
  const known = acknowledgeAction(incident({ acknowledgedBy: "ann" }));
  assert.match(textOf(known), /^Take the acknowledgment of .* by ann back\?/);
  const asked: unknown[] = [];
  const acknowledgeIncident = (request: unknown) => {
    asked.push(request);
    return Promise.resolve({});
  };
  for (const action of [open, known]) {
    await (action as Action).run({ acknowledgeIncident } as never);
  }
  const subject = { type: "job", name: "report", id: "i1" };
  assert.deepEqual(asked, [{ ...subject, undo: false }, { ...subject, undo: true }]);
  assert.ok("refusal" in acknowledgeAction(RUNNING));
});

test("pauseAction() pauses what is not paused, and resumes what is", () => {
  const pauses = [create(PauseEntrySchema, { kind: "report" })];
  assert.match(pauseAction("report", []).question, /^Pause job report until resumed\?/);
  assert.match(pauseAction("report", pauses).question, /^Resume job report\?/);
  assert.match(pauseAction("mail", pauses).question, /^Pause job mail/);
  assert.match(pauseAction(undefined, pauses).question, /^Pause all jobs/);
  const all = [create(PauseEntrySchema, {})];
  assert.match(pauseAction(undefined, all).question, /^Resume all jobs\?/);
  assert.match(pauseAction("report", [...all, ...pauses]).question, /stays paused, as all jobs/);
});

test("refusalFor() refuses viewers only", () => {
  const caller = (role: string) => create(GetCallerResponseSchema, { name: "ci", role });
  assert.match(refusalFor(caller("viewer"))!, /"ci" may only look.*operator is needed/);
  assert.equal(refusalFor(caller("operator")), undefined);
  assert.equal(refusalFor(null), undefined);
});
