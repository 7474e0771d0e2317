import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Daemon, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";

const BUF = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));
const PROTO = readFileSync(new URL("../../src/rpc/job.proto", import.meta.url), "utf8");
const TOML = `[server.auth]
tokens = [{ name = "shop", role = "viewer", jobs = ["shop-*"], token = "shop-token-of-the-test" }]
[jobs.hello]
run = "true"
`;

/** A call of a client in Go, which knows the contract by reflection only. */
async function bufCurl(
  daemon: Daemon,
  method: string,
  options: { readonly version?: string; readonly token?: string; readonly data?: string },
): Promise<string> {
  const { version = "v1", token, data = "{}" } = options;
  const bearer = token === undefined ? [] : ["-H", `authorization: Bearer ${token}`];
  const reflectBearer = token === undefined ? [] : ["--reflect-header", bearer[1]!];
  const { stdout } = await promisify(execFile)(BUF, [
    ...["curl", "--protocol", "grpc", "--http2-prior-knowledge"],
    ...["--reflect-protocol", `grpc-${version}`, "--data", data],
    ...[...bearer, ...reflectBearer],
    `http://127.0.0.1:${daemon.port}/job.v1.JobService/${method}`,
  ], { timeout: 20_000 });
  return stdout;
}

test("a client without job.proto calls by reflection, with its token's rights and no others", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    for (const version of ["v1", "v1alpha"]) {
      const token = "shop-token-of-the-test";
      const answer = await bufCurl(daemon, "ListRegisteredJobs", { version, token });
      assert.deepEqual(JSON.parse(answer), {});
      await assert.rejects(
        bufCurl(daemon, "ScheduleJob", { version, token, data: '{"kind": "hello"}' }),
        /permission_denied/,
      );
      await assert.rejects(bufCurl(daemon, "GetVersion", { version }), /job\.v1\.JobService/);
    }
  } finally {
    await daemon.stop();
  }
});

test("the contract is printed by the program and served by HTTP", async () => {
  const printed = await runJobctl(["export", "proto"]);
  assert.equal(printed.stdout, PROTO);
  await withTempDir({}, async ({ path }) => {
    const out = ["export", "proto", "--out", "job.proto"];
    assert.equal((await runJobctl(out, { cwd: path })).code, 0);
    assert.equal(readFileSync(join(path, "job.proto"), "utf8"), PROTO);
    assert.equal((await runJobctl(out, { cwd: path })).code, 6);
  });
  const daemon = await startDaemon({ toml: TOML });
  try {
    const response = await fetch(`http://127.0.0.1:${daemon.httpPort}/job.proto`);
    assert.equal(await response.text(), PROTO);
  } finally {
    await daemon.stop();
  }
});
