import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { skipWithoutUnpacked, unpackedFolder } from "../../scripts/programs/install.mjs";
import { startDaemon } from "../support/processes/daemon.ts";
import { freePort, startServerProcess } from "../support/servers/server_process.ts";
import { until } from "../support/wait.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ALERTS = join(ROOT, "contrib/prometheus/jobctl-alerts.yml");
const ALERT_TESTS = join(ROOT, "test/contrib/jobctl-alerts.test.yml");

interface Target {
  readonly expr: string;
  readonly refId: string;
  readonly datasource: { readonly uid: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly Target[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly definition?: string;
}

const DASHBOARD = JSON.parse(readFileSync(join(ROOT, "contrib/grafana/jobctl.json"), "utf8")) as {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
};
const TARGETS = DASHBOARD.panels.flatMap(({ title, targets = [] }) =>
  targets.map((target) => ({ title, ...target }))
);

const folder = mkdtempSync(join(tmpdir(), "jobctl-monitoring-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Why the tests with Prometheus cannot run here; false if they can. */
const NO_PROMETHEUS = skipWithoutUnpacked("prometheus") || skipWithoutUnpacked("promtool");

/** A program of Debian's package of this name, unpacked. */
function program(name: "prometheus" | "promtool"): string {
  return join(unpackedFolder(name), "usr/bin", name);
}

function promtool(args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync(program("promtool"), args, {
    input,
    encoding: "utf8",
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

/** An expression with the variables of a dashboard filled in. */
function filledIn(expr: string): string {
  return expr.replaceAll("$__rate_interval", "1m").replaceAll("$__range", "1h")
    .replaceAll("$job", "jobctl").replaceAll("$kind", ".*");
}

/** Names of our metrics in a text. */
function namesIn(text: string): Set<string> {
  return new Set(text.match(/\b(?:go_job|jobctl)_[a-z_]+\b/g));
}

test("the alert rules are valid", { skip: NO_PROMETHEUS }, () => {
  assert.match(promtool(["check", "rules", "--lint-fatal", ALERTS]), /SUCCESS: \d+ rules found/);
});

test("the alert rules fire when they should, and not before", { skip: NO_PROMETHEUS }, () => {
  assert.match(promtool(["test", "rules", ALERT_TESTS]), /SUCCESS/);
});

test("each alert rule has a test, and is in docs/monitoring.md", () => {
  const tests = readFileSync(ALERT_TESTS, "utf8");
  const page = readFileSync(join(ROOT, "docs/monitoring.md"), "utf8");
  const names = [...readFileSync(ALERTS, "utf8").matchAll(/- alert: (\w+)/g)].map(([, name]) =>
    name!
  );
  assert.ok(names.length >= 10);
  for (const name of names) {
    assert.ok(tests.includes(`alertname: ${name}\n        exp_alerts:\n`), `${name} has no test`);
    assert.ok(page.includes(`| \`${name}\` |`), `docs/monitoring.md lacks ${name}`);
  }
});

test("the dashboard has panels that do not overlap, and known variables", () => {
  const ids = DASHBOARD.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const taken = new Set<string>();
  for (const { title, gridPos: { x, y, w, h } } of DASHBOARD.panels) {
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        assert.ok(!taken.has(`${column} ${line}`), `${title} overlaps`);
        taken.add(`${column} ${line}`);
      }
    }
  }
  const variables = new Set(DASHBOARD.templating.list.map(({ name }) => name));
  for (const { title, expr, datasource } of TARGETS) {
    assert.equal(datasource.uid, "${datasource}", title);
    for (const [, name] of expr.matchAll(/\$(\w+)/g)) {
      assert.ok(name!.startsWith("__") || variables.has(name!), `${title}: $${name}`);
    }
  }
  for (const { title, targets = [] } of DASHBOARD.panels) {
    const refs = targets.map(({ refId }) => refId);
    assert.equal(new Set(refs).size, refs.length, title);
  }
});

const TOML = `
[server]
http = "127.0.0.1:PORT"

[jobs.good]
run = "sleep 0.05"
schedule = "@every 1s"

[jobs.bad]
run = "exit 1"
schedule = "@every 1s"
retry = 0
`;

interface QueryResult {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly unknown[] };
}

interface RulesResult {
  readonly data: {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly name: string;
        readonly health: string;
        readonly lastError?: string;
      }[];
    }[];
  };
}

test("Prometheus reads a daemon's metrics, and knows all that rules and dashboard ask for", {
  skip: NO_PROMETHEUS,
}, async () => {
  const [httpPort, port] = [await freePort(), await freePort()];
  const daemon = await startDaemon({
    toml: TOML.replace("PORT", String(httpPort)),
    env: { JOBCTL_SERVER_HTTP: `127.0.0.1:${httpPort}` },
  });
  writeFileSync(
    join(folder, "prometheus.yml"),
    JSON.stringify({
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [ALERTS],
      scrape_configs: [
        { job_name: "jobctl", static_configs: [{ targets: [`127.0.0.1:${httpPort}`] }] },
      ],
    }),
  );
  const prometheus = await startServerProcess({
    program: program("prometheus"),
    args: [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    ready: "Server is ready to receive web requests",
  });
  const get = async <T>(path: string): Promise<T> =>
    await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json() as T;
  const query = (expr: string) => get<QueryResult>(`query?query=${encodeURIComponent(expr)}`);
  try {
    const page = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    // It prints what it finds wrong with names, types and help.
    assert.equal(promtool(["check", "metrics"], page), "");
    const exported = namesIn(page);
    const asked = namesIn(
      [readFileSync(ALERTS, "utf8"), ...TARGETS.map(({ expr }) => expr)].join("\n"),
    );
    assert.deepEqual([...asked].filter((name) => !exported.has(name)), []);
    await until("both jobs have ended twice", async () => {
      const { data } = await query('min(go_job_executed_total{kind=~"good|bad"}) > 1');
      return data.result.length > 0;
    }, 30_000);
    for (const { title, refId, expr } of TARGETS) {
      const { status, error } = await query(filledIn(expr));
      assert.equal(status, "success", `${title} ${refId}: ${error}`);
    }
    await until("the panels about jobs and daemons have values", async () => {
      const empty = new Set<string>();
      for (const { title, refId, expr } of TARGETS) {
        if ((await query(filledIn(expr))).data.result.length === 0) empty.add(`${title} ${refId}`);
      }
      // Nothing waits, is late or runs at the moment, except by chance.
      const rare = ["Waiting by job A", "Ticks without a run A", "Ticks without a run B"];
      const others = ["Rescheduled A", "Jobs D"];
      for (const name of [...rare, ...others]) empty.delete(name);
      return empty.size === 0;
    }, 30_000);
    await until("the failing job raises its alert", async () => {
      const { data } = await query('ALERTS{alertname="JobctlJobFailed",kind="bad"}');
      return data.result.length > 0;
    });
    const { data: { groups } } = await get<RulesResult>("rules");
    for (const { name, health, lastError } of groups.flatMap(({ rules }) => rules)) {
      assert.equal(health, "ok", `${name}: ${lastError}`);
    }
  } finally {
    await prometheus.stop();
    await daemon.stop();
  }
});
