import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { startDaemon } from "../../support/processes/daemon.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";

/** A server that notes the paths of requests. */
async function pinged() {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url!);
    response.end();
    server.emit("pinged");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    paths,
    toml: (path: string) => `
[heartbeat]
url = "http://127.0.0.1:${port}${path}"
every = "1s"
allow_private = true
`,
    /** Resolves when a path has been requested so often. */
    async reached(path: string, times: number): Promise<void> {
      while (paths.filter((one) => one === path).length < times) await once(server, "pinged");
    },
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("heartbeat calls its URL until the daemon stops, and takes another one on a reload", async () => {
  using server = await pinged();
  const daemon = await startDaemon({ toml: server.toml("/first-key") });
  try {
    await server.reached("/first-key", 2);
    const config = join(daemon.dir, "config.toml");
    writeFileSync(config, readFileSync(config, "utf8").replace("first-key", "second-key"));
    assert.equal((await daemon.jobctl(["reload"])).code, 0);
    await server.reached("/second-key", 2);
    const { paths } = server;
    assert.ok(!paths.slice(paths.indexOf("/second-key")).includes("/first-key"));
    await daemon.terminate();
    assert.match(daemon.log(), /The heartbeat stops.*the daemon is stopping/);
    assert.doesNotMatch(daemon.log(), /first-key|second-key/);
  } finally {
    await daemon.stop();
  }
});

test("heartbeat is silent while the store does not respond", async () => {
  using server = await pinged();
  const valkey = await startValkey();
  const env = { JOBCTL_STORE_URL: valkey.url };
  const daemon = await startDaemon({ toml: server.toml("/key"), env });
  try {
    await server.reached("/key", 1);
    valkey.process.freeze();
    await daemon.logged(/The heartbeat stops.*reason=/);
    const silentAt = server.paths.length;
    valkey.process.thaw();
    await daemon.logged(/The heartbeat resumes.*silent_ms=/);
    await server.reached("/key", silentAt + 1);
    assert.equal(daemon.log().match(/The heartbeat stops/g)?.length, 1);
  } finally {
    await daemon.stop({ force: true });
    await valkey.close();
  }
});
