import assert from "node:assert/strict";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import {
  type Daemon,
  type DaemonOptions,
  runJobctl,
  startDaemon,
} from "../../support/processes/daemon.ts";
import { startEtcd } from "../../support/servers/etcd_server.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { linesOf, until } from "../../support/wait.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const FIXTURES = join(ROOT, "test/fixtures/stores");
const VERSIONS = readdirSync(FIXTURES).filter((name) => /^\d/.test(name)).sort();
const OWN = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version as string;
/** The version that comes after this one. */
const NEXT = "99.1.0";

/** Options of a daemon of the next version: this source, with another version or format. */
function nextVersion(env: Record<string, string>, format: "same" | "newer"): DaemonOptions {
  return {
    program: [
      join(ROOT, "node_modules/.bin/bun"),
      "--preload",
      join(ROOT, "test/support/released/other_version.mjs"),
      join(ROOT, "src/main.ts"),
    ],
    env: { ...env, OTHER_VERSION: NEXT, OTHER_FORMAT: format },
  };
}

for (const version of VERSIONS) {
  test(`a daemon opens the SQLite file of ${version}, shows it, and runs what was due`, () =>
    withTempDir({}, async ({ path }) => {
      const file = join(path, "jobctl.db");
      copyFileSync(join(FIXTURES, version, "jobctl.db"), file);
      const jobs = ["mail", "import", "report", "paused", "long"].map((kind) =>
        `[jobs.${kind}]\nrun = "true"\n`
      ).join("");
      const daemon = await startDaemon({ toml: jobs, env: { JOBCTL_STORE_URL: `sqlite:${file}` } });
      try {
        const countOf = async (state: JobState) => {
          const query = { states: [state] };
          return (await daemon.client().lookupInstances({ query })).instances.length;
        };
        await until("everything that was due has run", async () => {
          return await countOf(JobState.SCHEDULED) === 2 &&
            await countOf(JobState.PROCESSING) === 0;
        });
        const shown = async (...args: readonly string[]) => {
          const { code, stdout, stderr } = await daemon.jobctl([...args, "-o", "table"]);
          assert.equal(code, 0, stderr);
          return stdout;
        };
        assert.match(await shown("list", "dead"), /import/);
        assert.match(await shown("incidents"), /import/);
        assert.match(await shown("logs", "--kind", "long"), /half done/);
        assert.match(await shown("list", "instances", "--kind", "long"), / done /);
        assert.match(await shown("list", "pauses"), /paused +.*upgrade/);
        assert.match(await shown("store", "verify"), /no problems/i);
        const again = await daemon.restart();
        assert.equal((await again.jobctl(["store", "verify"])).code, 0);
        await again.terminate();
      } finally {
        await daemon.stop({ force: true });
      }
    }));
}

const SERVERS = { Valkey: () => startValkey(), etcd: () => startEtcd() } as const;

for (const [name, start] of Object.entries(SERVERS)) {
  test(`nodes of two versions share ${name}, one is replaced after the other, and every job runs once`, async () => {
    const server = await start();
    try {
      await withTempDir({}, async ({ path }) => {
        const file = join(path, "done");
        const toml = `[worker]\ncount = 2\n[jobs.work]\n` +
          `run = "echo $JOB_UUID >> ${file}; sleep 0.02"\n`;
        const env = (node: string) => ({ JOBCTL_STORE_URL: server.url, JOBCTL_NODE_ID: node });
        const old = await startDaemon({ toml, env: env("old") });
        const next = await startDaemon({ toml, ...nextVersion(env("next"), "same") });
        let back: Daemon | null = null;
        try {
          const nodes = await next.ask(["list", "nodes", "-o", "table"]);
          assert.match(nodes.stdout, new RegExp(`next +.*${NEXT.replaceAll(".", "\\.")}`));
          assert.match(nodes.stdout, new RegExp(`old +.*${OWN.replaceAll(".", "\\.")}`));
          const requests = Array.from({ length: 40 }, () => ({ kind: "work" }));
          const ids: string[] = [];
          const add = async (daemon: Daemon) => {
            const { instances } = await daemon.client().scheduleJobs({ requests });
            ids.push(...instances.map(({ uuid }) => uuid));
          };
          await add(old);
          await add(next);
          await until("both work", () => linesOf(file).length > 20);
          await old.terminate();
          back = await old.restart();
          await add(back);
          await next.terminate();
          await until("all have run", () => linesOf(file).length >= ids.length, 60_000);
          assert.deepEqual([...linesOf(file)].sort(), ids.sort());
        } finally {
          await back?.terminate();
          await next.stop({ force: true });
          await old.stop({ force: true });
        }
      });
    } finally {
      await server.close();
    }
  });

  test(`a daemon on ${name} goes no further, and starts no more, when a newer version changed the format`, async () => {
    const server = await start();
    try {
      const toml = '[jobs.work]\nrun = "true"\n';
      const env = (node: string) => ({ JOBCTL_STORE_URL: server.url, JOBCTL_NODE_ID: node });
      const old = await startDaemon({ toml, env: env("old") });
      const next = await startDaemon({ toml, ...nextVersion(env("next"), "newer") });
      try {
        const refused = await old.ask(["schedule", "work"]);
        assert.notEqual(refused.code, 0);
        assertRefusal(refused.stderr);
        await old.logged(new RegExp(`it has format \\d+ of jobctl ${NEXT.replaceAll(".", "\\.")}`));
        const ready = await fetch(`http://127.0.0.1:${old.httpPort}/readyz`);
        assert.equal(ready.status, 503);
        assert.match(await ready.text(), /it has format/);
        assertRefusal((await old.ask(["status"])).stderr);
        const accepted = await next.ask(["schedule", "work", "--wait"]);
        assert.equal(accepted.code, 0, accepted.stderr);
        await old.kill();
        const looked = await runJobctl(["store", "info", "--store", server.url]);
        assertRefusal(looked.stderr);
        await assert.rejects(old.restart(), (error) => {
          assertRefusal(String(error));
          return true;
        });
      } finally {
        await next.stop({ force: true });
        await old.stop({ force: true });
      }
    } finally {
      await server.close();
    }
  });
}

function assertRefusal(text: string): void {
  const versions = `of jobctl ${NEXT}; this is jobctl ${OWN}, which knows formats up to`;
  assert.ok(text.includes(versions), text);
  assert.ok(text.includes(`Use jobctl ${NEXT} or newer. To go back, restore a backup`), text);
}

test("an SQLite file of a newer format is refused and left as it is, and an older backup is the way back", () =>
  withTempDir({}, async ({ path }) => {
    const toml = '[jobs.work]\nrun = "true"\n';
    const env = { JOBCTL_STORE_URL: `sqlite:${join(path, "jobctl.db")}` };
    const old = await startDaemon({ toml, env });
    try {
      const { stdout: id } = await old.ask(["schedule", "work", "--wait", "-o", "name"]);
      const backup = join(path, "before.jsonl.gz");
      assert.equal((await old.jobctl(["store", "backup", backup])).code, 0);
      await old.terminate();
      const next = await startDaemon({ toml, ...nextVersion(env, "newer") });
      assert.equal((await next.ask(["schedule", "work", "--wait"])).code, 0);
      await next.stop();
      const before = readFileSync(join(path, "jobctl.db"));
      await assert.rejects(old.restart(), (error) => {
        assertRefusal(String(error));
        return true;
      });
      assert.deepEqual(readFileSync(join(path, "jobctl.db")), before);

      const url = `sqlite:${join(path, "back.db")}`;
      const restored = await runJobctl(["store", "restore", backup, "--store", url]);
      assert.equal(restored.code, 0, restored.stderr);
      const back = await startDaemon({ toml, env: { JOBCTL_STORE_URL: url } });
      try {
        const found = await back.ask(["describe", "instance", id.trim(), "-o", "json"]);
        assert.equal(JSON.parse(found.stdout).state, "completed");
      } finally {
        await back.stop();
      }
    } finally {
      await old.stop({ force: true });
    }
  }));
