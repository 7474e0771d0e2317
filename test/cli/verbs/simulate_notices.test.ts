import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobInstanceSchema, JobState } from "../../../src/rpc/gen/job_pb.ts";
import { cli, NOW } from "../../support/worlds/cli_world.ts";
import { withTempDir } from "../../support/temp_dir.ts";

test("simulate --notices says how many notices each channel would have sent", async () => {
  const channel = 'to = "exec"\ncommand = ["/bin/true"]\n';
  const config = `[notices.ops]\n${channel}[notices.night]\n${channel}jobs = ["b"]\n` +
    '[jobs.a]\nrun = "false"\n[jobs.b]\nrun = "false"\n';
  await withTempDir({ "config.toml": config }, async ({ path }) => {
    const instances = ["a", "b"].map((kind) =>
      create(JobInstanceSchema, {
        ...{ kind, uuid: `01938f2c-7d3e-7000-8000-00000000000${kind}`, state: JobState.TERMINATED },
        terminatedAt: timestampFromMs(NOW - 1_000),
      })
    );
    const run = await cli(["simulate", "--notices", "--config", `${path}/config.toml`], {
      answers: { lookupInstances: { instances } },
      isTerminal: true,
    });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /^3 notices from 2 runs that ended since .*: ops 2, night 1\n$/);
  });
});
