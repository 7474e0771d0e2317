import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { StoreTls } from "../../../src/core/settings/store_config.ts";
import { createMedium, put, Told } from "../../support/servers/etcd_medium.ts";
import { type EtcdServer, withEtcd } from "../../support/servers/etcd_server.ts";
import { tlsFile } from "../../support/tls_files.ts";

const CA = tlsFile("server.crt");

function portsOf(server: EtcdServer): readonly number[] {
  return server.members.map(({ port }) => port);
}

async function withUsers(body: (server: EtcdServer) => Promise<void>): Promise<void> {
  await withEtcd({ flags: { "bcrypt-cost": 4 } }, async (server) => {
    await server.ctl("user", "add", "root:top");
    await server.ctl("user", "grant-role", "root", "root");
    await server.ctl("role", "add", "jobs");
    await server.ctl("role", "grant-permission", "jobs", "--prefix", "readwrite", "jobctl/");
    await server.ctl("user", "add", "jobs:s3cret");
    await server.ctl("user", "grant-role", "jobs", "jobs");
    await server.ctl("auth", "enable");
    await body(server);
  });
}

test("a user with a role on the prefix alone opens, commits, watches and folds", async () => {
  await withUsers(async (server) => {
    const login = { user: "jobs", password: "s3cret" };
    const medium = createMedium(portsOf(server), login);
    await medium.open();
    await medium.load();
    const told = new Told();
    medium.watch(0, told.listener);
    assert.ok(await put(medium, 1, [["k", "1"]]));
    assert.equal(await medium.fold(), 1);
    // A restarted server does not know earlier tokens.
    await server.members[0]!.kill();
    await server.members[0]!.start();
    assert.ok(await put(medium, 2, [["k", "2"]]));
    const other = createMedium(portsOf(server), login);
    await other.open();
    await other.load();
    assert.ok(await put(other, 3, [["k", "3"]]));
    await told.until(() => told.changes.length === 3);
    await Promise.all([medium.close(), other.close()]);
  });
});

test("a user is refused with a wrong password, without one, and outside of its prefix", async () => {
  await withUsers(async (server) => {
    const tries = [
      [{ user: "jobs", password: "wrong" }, "unauthenticated", /store\.password/],
      [{ user: "nobody", password: "s3cret" }, "unauthenticated", /store\.password/],
      [{}, "unauthenticated", /store\.username/],
      [{ user: "jobs", password: "s3cret", prefix: "other" }, "permission_denied", /readwrite/],
    ] as const;
    for (const [given, code, hint] of tries) {
      const medium = createMedium(portsOf(server), given);
      await assert.rejects(medium.open(), (error) => {
        assert.ok(isJobError(error, code), String(error));
        assert.match(error.hint ?? "", hint);
        assert.doesNotMatch(error.message, /s3cret/);
        return true;
      });
      await medium.close();
    }
  });
});

test("a user given to a server without users is refused with what to do", async () => {
  await withEtcd({}, async (server) => {
    const medium = createMedium(portsOf(server), { user: "jobs", password: "x" });
    await assert.rejects(
      medium.open(),
      (error) => isJobError(error, "unauthenticated") && /knows no users/.test(error.hint!),
    );
    await medium.close();
  });
});

test("TLS: an IP address and a name are checked, and a wrong CA or name is refused", async () => {
  await withEtcd({ tls: true }, async (server) => {
    const tls: StoreTls = { ca: CA, cert: null, key: null, serverName: null };
    const [port] = portsOf(server) as [number];
    const open = async (host: string, given: Partial<StoreTls>) => {
      const medium = createMedium([port], {
        connection: {
          endpoints: [{ host, port }],
          user: null,
          password: null,
          timeoutMs: 500,
        },
        tls: { ...tls, ...given },
      });
      try {
        await medium.open();
        await medium.load();
      } finally {
        await medium.close();
      }
    };
    await open("127.0.0.1", {});
    await open("localhost", {});
    await open("127.0.0.1", { serverName: "localhost" });
    await assert.rejects(
      open("127.0.0.1", { serverName: "elsewhere.example" }),
      /altnames|Hostname/,
    );
    const other = tlsFile("other.crt");
    await assert.rejects(
      open("localhost", { ca: other }),
      (error) => isJobError(error, "unavailable") && /store\.tls/.test(error.hint ?? ""),
    );
    const plain = createMedium([port], { timeoutMs: 500 });
    await assert.rejects(plain.open(), (error) => isJobError(error, "unavailable"));
    await plain.close();
  });
});

test("TLS: a server that asks for a certificate gets one, and refuses who has none", async () => {
  await withEtcd({ tls: "mutual" }, async (server) => {
    const [port] = portsOf(server) as [number];
    const pair = { cert: CA, key: tlsFile("server.key") };
    const openWith = async (given: Pick<StoreTls, "cert" | "key">) => {
      const medium = createMedium([port], {
        connection: {
          endpoints: [{ host: "localhost", port }],
          user: null,
          password: null,
          timeoutMs: 500,
        },
        tls: { ca: CA, serverName: null, ...given },
      });
      await medium.open().finally(() => medium.close());
    };
    await openWith(pair);
    await assert.rejects(
      openWith({ cert: null, key: null }),
      (error) => isJobError(error, "unavailable"),
    );
  });
});
