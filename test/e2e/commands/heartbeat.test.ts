import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { startDaemon } from "../../support/processes/daemon.ts";

test("heartbeat calls its URL until the daemon stops, and takes another one on a reload", async () => {
  const seen: string[] = [];
  const arrived = new Map<string, PromiseWithResolvers<void>>();
  const wait = (path: string) => {
    const found = arrived.get(path) ?? Promise.withResolvers<void>();
    arrived.set(path, found);
    return found.promise;
  };
  const server = createServer((request, response) => {
    const count = seen.push(request.url!);
    const times = seen.filter((path) => path === request.url).length;
    void wait(`${request.url} ${times}`);
    arrived.get(`${request.url} ${times}`)!.resolve();
    response.writeHead(count > 0 ? 200 : 500).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const toml = (path: string) => `
[heartbeat]
url = "http://127.0.0.1:${port}${path}"
every = "1s"
allow_private = true
`;
  const daemon = await startDaemon({ toml: toml("/first-key") });
  try {
    await wait("/first-key 2");
    const config = join(daemon.dir, "config.toml");
    writeFileSync(config, readFileSync(config, "utf8").replace("first-key", "second-key"));
    assert.equal((await daemon.jobctl(["reload"])).code, 0);
    await wait("/second-key 2");
    assert.ok(!seen.slice(seen.indexOf("/second-key")).includes("/first-key"));
    await daemon.terminate();
    const count = seen.length;
    assert.match(daemon.log(), /The heartbeat stops.*the daemon is stopping/);
    assert.doesNotMatch(daemon.log(), /first-key|second-key/);
    assert.equal(seen.length, count);
  } finally {
    await daemon.stop();
    server.closeAllConnections();
    server.close();
  }
});
