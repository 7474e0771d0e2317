import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KIND_LABELS_MAX, Metrics } from "../../../src/http/monitoring/metrics.ts";
import { Histogram, MetricsPage } from "../../../src/http/monitoring/prometheus.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { FakeManager } from "../../support/worlds/fake_manager.ts";

/** The value of one sample of a page. */
function sample(page: string, name: string): number | undefined {
  const line = page.split("\n").find((text) => text.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

test("docs/api.md describes each metric of page()", async () => {
  const page = await new Metrics(new FakeManager(), { clock: systemClock }).page();
  const docs = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");
  const names = [...page.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!);
  assert.ok(names.length > 30, `${names.length}`);
  assert.deepEqual(names.filter((name) => !docs.includes(`\`${name}\``)), []);
});

test("page() has go-job's names", async () => {
  const manager = new FakeManager();
  const metrics = new Metrics(manager, { clock: systemClock });
  manager.move(manager.move(manager.add(), "processing"), "completed");
  manager.add();
  const page = await metrics.page();
  assert.equal(sample(page, "go_job_registered"), 1);
  assert.equal(sample(page, "go_job_workers"), 4);
  assert.equal(sample(page, 'go_job_queued{kind="echo"}'), 1);
  assert.equal(sample(page, 'go_job_executed_total{kind="echo"}'), 1);
  assert.equal(sample(page, 'go_job_completed_total{kind="echo"}'), 1);
  assert.equal(sample(page, 'go_job_terminated_total{kind="echo"}'), 0);
  assert.equal(sample(page, 'go_job_canceled_total{kind="echo"}'), 0);
  assert.equal(sample(page, 'go_job_timedout_total{kind="echo"}'), 0);
  assert.equal(sample(page, 'go_job_duration_seconds_count{kind="echo"}'), 1);
  assert.equal(sample(page, 'go_job_duration_seconds_bucket{kind="echo",le="0.05"}'), 1);
  assert.equal(sample(page, 'go_job_duration_seconds_bucket{kind="echo",le="0.01"}'), 0);
});

test("page() counts what the store counts when nothing runs", async () => {
  const manager = new FakeManager();
  const metrics = new Metrics(manager, { clock: systemClock });
  const ends = ["completed", "terminated", "canceled", "timedOut"] as const;
  ends.forEach((state, index) => {
    for (let count = 0; count <= index; count++) manager.move(manager.add(), state);
  });
  const page = await metrics.page();
  const names = {
    completed: "completed",
    terminated: "terminated",
    canceled: "canceled",
    timedOut: "timedout",
  };
  for (const state of ends) {
    const stored = sample(page, `jobctl_instances{kind="echo",state="${state}"}`);
    assert.equal(sample(page, `go_job_${names[state]}_total{kind="echo"}`), stored, state);
  }
});

test("page() sums the processor time of attempts, and has the memory of the last one", async () => {
  const manager = new FakeManager();
  const metrics = new Metrics(manager, { clock: systemClock });
  const cpu = 'jobctl_job_cpu_seconds_total{kind="echo"}';
  const memory = 'jobctl_job_max_rss_bytes{kind="echo"}';
  manager.move(manager.add(), "completed");
  const unknown = await metrics.page();
  assert.equal(sample(unknown, cpu), undefined);
  assert.equal(sample(unknown, memory), undefined);
  manager.move(manager.add(), "completed", { usage: { maxRssBytes: 4_096, cpuMs: 1_500 } });
  manager.move(manager.add(), "completed", { usage: { maxRssBytes: null, cpuMs: 250 } });
  const page = await metrics.page();
  assert.equal(sample(page, cpu), 1.75);
  assert.equal(sample(page, memory), 4_096);
});

test("page() counts what waits for a node that runs its job, and nothing else that waits", async () => {
  const manager = new FakeManager();
  const metrics = new Metrics(manager, { clock: systemClock });
  for (const kind of ["echo", "render", "render"]) manager.add({ kind });
  manager.unserved = ["render"];
  const page = await metrics.page();
  assert.equal(sample(page, 'jobctl_unserved{kind="render"}'), 2);
  assert.equal(sample(page, 'jobctl_unserved{kind="echo"}'), undefined);
});

test("page() has as many kinds as are labelled, and one for the rest", async () => {
  const manager = new FakeManager();
  manager.jobs.clear();
  const metrics = new Metrics(manager, { clock: systemClock });
  for (let kind = 0; kind < KIND_LABELS_MAX + 50; kind++) {
    manager.move(manager.add({ kind: `kind-${kind}` }), "completed");
  }
  const page = await metrics.page();
  const labels = new Set([...page.matchAll(/kind="([^"]*)"/g)].map((found) => found[1]));
  assert.equal(labels.size, KIND_LABELS_MAX + 1);
  assert.equal(sample(page, 'go_job_completed_total{kind="_other"}'), 50);
  assert.equal(sample(page, 'jobctl_instances{kind="_other",state="completed"}'), 50);
});

test("page() observes how late instances begin, and counts what is scheduled again", async () => {
  const manager = new FakeManager();
  const metrics = new Metrics(manager, { clock: systemClock });
  const running = manager.move(manager.add(), "processing");
  manager.move(running, "scheduled", { attempt: 1 });
  const page = await metrics.page();
  assert.equal(sample(page, "jobctl_lateness_seconds_count"), 1);
  assert.equal(sample(page, "jobctl_lateness_seconds_sum"), 1);
  assert.equal(sample(page, 'jobctl_rescheduled_total{kind="echo"}'), 1);
});

test("page() escapes labels", async () => {
  const manager = new FakeManager();
  const metrics = new Metrics(manager, { clock: systemClock });
  manager.add({ kind: 'a"b\\c\nd' });
  assert.ok((await metrics.page()).includes('go_job_queued{kind="a\\"b\\\\c\\nd"} 1'));
});

test("stop() stops counting", async () => {
  const manager = new FakeManager();
  const metrics = new Metrics(manager, { clock: systemClock });
  metrics.stop();
  manager.move(manager.add(), "completed");
  assert.equal(sample(await metrics.page(), 'go_job_completed_total{kind="echo"}'), 0);
});

test("Histogram counts a value in its bucket and all above", () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [1, 1.5, 2, 3]) histogram.observe(value);
  const page = new MetricsPage();
  histogram.write(page, "h", {});
  assert.equal(
    page.toString(),
    'h_bucket{le="1"} 1\nh_bucket{le="2"} 3\nh_bucket{le="+Inf"} 4\nh_sum 7.5\nh_count 4\n',
  );
});
