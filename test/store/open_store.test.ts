import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { maskUrl, parseStoreUrl } from "../../src/core/settings/store_address.ts";
import { STORE_DEFAULTS, type StoreConfig } from "../../src/core/settings/store_config.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { plainInstance } from "../../scripts/bench/plain_instance.ts";
import { createStore } from "../../src/store/opening/open_store.ts";
import { withEtcd } from "../support/servers/etcd_server.ts";
import { tlsFile } from "../support/tls_files.ts";
import { withValkey } from "../support/servers/valkey_server.ts";

const PARTS = { clock: systemClock, random: systemRandom, logger: silentLogger };

function configOf(url: string, more: Partial<StoreConfig> = {}): StoreConfig {
  return { ...STORE_DEFAULTS, address: parseStoreUrl(url), url: maskUrl(url), ...more };
}

/** Open and close a store. @returns its info */
async function infoOf(config: StoreConfig) {
  const store = createStore(config, PARTS);
  const info = await store.open({ at: systemClock.now(), node: "a" });
  await store.close();
  return info;
}

test("createStore() opens a Valkey over TLS by the files of the configuration", async () => {
  await withValkey({ tls: "mutual", password: "secret" }, async (server) => {
    const url = server.url.replace("//", "//:secret@");
    const [cert, key] = [tlsFile("server.crt"), tlsFile("server.key")];
    const tls = { ca: cert, cert, key, serverName: null };
    const info = await infoOf(configOf(url, { tls }));
    assert.deepEqual([info.type, info.location], ["valkey", server.url]);
    const other = await infoOf(configOf(url, { tls, prefix: "other" }));
    assert.notEqual(other.storeId, info.storeId);
    assert.equal((await infoOf(configOf(url, { tls }))).storeId, info.storeId);
  });
});

test("fault 25: the user of docs/stores.md may do what the store does, and nothing outside of its namespace", async () => {
  const page = readFileSync(new URL("../../docs/stores.md", import.meta.url), "utf8");
  const rule = /^ACL SETUSER (.*)$/m.exec(page)![1]!.replace(">SECRET", ">secret");
  await withValkey(
    { users: [rule], config: { "acl-pubsub-default": "resetchannels" } },
    async (server) => {
      const url = server.url.replace("//", "//jobctl:secret@");
      await server.cli("set", "foreign", "1");
      const store = createStore(configOf(url), PARTS);
      const listener = createStore(configOf(url), PARTS);
      const at = systemClock.now();
      await store.open({ at, node: "a" });
      await listener.open({ at, node: "b" });
      const heard = new Promise((resolve) => listener.subscribe(resolve));
      await store.enqueue({ at, instances: [plainInstance("plain")] });
      await heard;
      const request = { at, node: "a", kinds: new Set(["plain"]), limit: 1, leaseMs: 10_000 };
      const { value: [claimed] } = await store.claim(request);
      assert.ok(claimed);
      await store.clearInstances({
        at,
        query: {},
        settledBefore: Number.MAX_SAFE_INTEGER,
        limit: 1_000,
      });
      await store.close();
      await listener.close();
      assert.equal(await server.cli("get", "foreign"), "1");
      const keys = (await server.cli("keys", "*")).split("\n").filter((key) => key !== "foreign");
      assert.ok(
        keys.length > 0 && keys.every((key) => key.startsWith("jobctl:{jobctl}:")),
        keys.join(),
      );
      await assert.rejects(
        server.cli("--user", "jobctl", "--pass", "secret", "get", "foreign"),
        /NOPERM/,
      );
    },
  );
});

test("createStore() opens an etcd over TLS by the files of the configuration", async () => {
  await withEtcd({ tls: "mutual" }, async (server) => {
    const [cert, key] = [tlsFile("server.crt"), tlsFile("server.key")];
    const tls = { ca: cert, cert, key, serverName: null };
    const info = await infoOf(configOf(server.url, { tls }));
    assert.equal(info.type, "etcd");
    assert.equal((await infoOf(configOf(server.url, { tls }))).storeId, info.storeId);
  });
});

const FILES: readonly (readonly [string, StoreConfig["tls"] & object, RegExp])[] = [
  [
    "one that is missing",
    { ca: "/nowhere/ca.pem", cert: null, key: null, serverName: null },
    /"\/nowhere\/ca\.pem": no such file/,
  ],
  [
    "a key in place of a certificate",
    { ca: tlsFile("server.key"), cert: null, key: null, serverName: null },
    /server\.key": it is not a PEM certificate/,
  ],
  [
    "a key of another certificate",
    { ca: null, cert: tlsFile("server.crt"), key: tlsFile("other.key"), serverName: null },
    /other\.key": it does not belong to the certificate/,
  ],
];

for (const [what, tls, message] of FILES) {
  test(`fault 61: createStore() refuses ${what}, and names the file`, async () => {
    for (const url of ["valkeys://localhost", "etcds://localhost"]) {
      await assert.rejects(infoOf(configOf(url, { tls })), (error) => {
        assert.ok(isJobError(error, "invalid_config"), String(error));
        assert.match(error.message, message);
        return true;
      });
    }
  });
}
