import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { removeStaleFiles } from "../../../src/rpc/server/stale_files.ts";
import { withTempDir } from "../../support/temp_dir.ts";

function listen(server: Server, where: string | number): Promise<Server> {
  return new Promise((resolve) => {
    if (typeof where === "string") server.listen(where, () => resolve(server));
    else server.listen(where, "127.0.0.1", () => resolve(server));
  });
}

const OLD = new Date(Date.now() - 3_600_000);

test("what dead daemons left in the runtime folder is removed, and nothing else", () =>
  withTempDir({}, async ({ path: folder }) => {
    const tcp = await listen(createServer(), 0);
    const address = tcp.address();
    const livePort = typeof address === "object" && address !== null ? address.port : 0;
    const socket = await listen(createServer(), join(folder, "jobctl-1.sock"));
    try {
      // A live socket and its token, although nobody listens at its port in our namespace.
      writeFileSync(join(folder, "jobctl-1.token"), "live");
      // Without a socket, but its port is listened on.
      writeFileSync(join(folder, `jobctl-${livePort}.token`), "live");
      writeFileSync(join(folder, "jobctl-2.token"), "dead");
      writeFileSync(join(folder, "jobctl-3.token.0123456789ab.tmp"), "new draft");
      writeFileSync(join(folder, "jobctl-4.token.0123456789ab.tmp"), "old draft");
      utimesSync(join(folder, "jobctl-4.token.0123456789ab.tmp"), OLD, OLD);
      mkdirSync(join(folder, ".s-abcdef"));
      utimesSync(join(folder, ".s-abcdef"), OLD, OLD);
      writeFileSync(join(folder, "jobctl-5.sock"), "no socket");
      writeFileSync(join(folder, "notes"), "of the user");
      await removeStaleFiles(Date.now(), folder);
      assert.deepEqual(
        readdirSync(folder).sort(),
        [
          "jobctl-1.sock",
          "jobctl-1.token",
          "jobctl-3.token.0123456789ab.tmp",
          "jobctl-5.sock",
          `jobctl-${livePort}.token`,
          "notes",
        ].sort(),
      );
    } finally {
      tcp.close();
      socket.close();
    }
  }));

test("the files of a daemon that starts meanwhile are not removed", () =>
  withTempDir({}, async ({ path: folder }) => {
    for (const port of [1, 2, 3]) writeFileSync(join(folder, `jobctl-${port}.token`), "dead");
    await removeStaleFiles(Date.now(), folder, () => {
      const draft = join(folder, "jobctl-2.token.0123456789ab.tmp");
      writeFileSync(draft, "live");
      renameSync(draft, join(folder, "jobctl-2.token"));
      return Promise.resolve(new Set());
    });
    assert.deepEqual(readdirSync(folder), ["jobctl-2.token"]);
  }));

test("files are judged by the ports that are listened on after they were found", () =>
  withTempDir({}, async ({ path: folder }) => {
    writeFileSync(join(folder, "jobctl-1.token"), "dead");
    writeFileSync(join(folder, "jobctl-2.token"), "live");
    let reads = 0;
    await removeStaleFiles(Date.now(), folder, async () => {
      reads += 1;
      await null;
      return new Set([2]);
    });
    assert.equal(reads, 1);
    assert.deepEqual(readdirSync(folder), ["jobctl-2.token"]);
  }));

test("a daemon whose port is listened on is not called", () =>
  withTempDir({}, async ({ path: folder }) => {
    let calls = 0;
    const called = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      calls += 1;
      socket.destroy();
      called.resolve();
    });
    await listen(server, join(folder, "jobctl-1.sock"));
    try {
      await removeStaleFiles(Date.now(), folder, () => Promise.resolve(new Set([1])));
      assert.equal(calls, 0);
      // Of a namespace with other ports: only a call tells.
      await removeStaleFiles(Date.now(), folder, () => Promise.resolve(new Set()));
      await called.promise;
      assert.deepEqual(readdirSync(folder), ["jobctl-1.sock"]);
    } finally {
      server.close();
    }
  }));

test("a runtime folder that is missing is nobody's problem", async () => {
  await removeStaleFiles(Date.now(), "/nonexistent/jobctl");
});
