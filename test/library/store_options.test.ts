import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../src/core/errors.ts";
import {
  isStoreOptions,
  readStoreOptions,
  type StoreOptions,
} from "../../src/library/store_options.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";

test("readStoreOptions() reads every option", () => {
  const config = readStoreOptions({
    url: "valkey://10.0.0.5",
    prefix: "shop",
    username: "app",
    password: "secret",
    tls: { ca: "ca.pem", cert: "c.pem", key: "k.pem", serverName: "valkey" },
    waitReplicas: 1,
    startWait: "10s",
  });
  const { address, ...rest } = config;
  assert.ok(address.type === "valkey");
  assert.deepEqual([address.isTls, address.username, address.password], [true, "app", "secret"]);
  assert.deepEqual(rest, {
    url: "valkey://10.0.0.5",
    prefix: "shop",
    tls: { ca: "ca.pem", cert: "c.pem", key: "k.pem", serverName: "valkey" },
    waitReplicas: 1,
    startWaitMs: 10_000,
    maxSkewMs: 1_000,
    fsync: "full",
    targets: {},
  });
  assert.equal(readStoreOptions({ url: "etcd://h", maxSkew: "2s" }).maxSkewMs, 2_000);
  assert.equal(readStoreOptions({ url: "sqlite:a.db", fsync: "normal" }).fsync, "normal");
});

test("readStoreOptions() turns TLS on by any of its members, by true, and by the URL", () => {
  const isOn = (options: StoreOptions) => {
    const { address, tls } = readStoreOptions(options);
    return address.type === "valkey" && address.isTls && tls !== null;
  };
  assert.ok(isOn({ url: "valkey://h", tls: true }));
  assert.ok(isOn({ url: "valkey://h", tls: { serverName: "x" } }));
  assert.ok(isOn({ url: "valkeys://h" }));
  assert.ok(!isOn({ url: "valkey://h", tls: false }));
});

const REFUSED: readonly [options: object, path: string][] = [
  [{ url: "valkey://h", waitReplica: 1 }, "store.waitReplica"],
  [{ url: "valkey://h", waitReplicas: -1 }, "store.waitReplicas"],
  [{ url: "valkey://h", tls: { cert: "a" } }, "store.tls.key"],
  [{ url: "valkey://h", tls: { cart: "a" } }, "store.tls.cart"],
  [{ url: "valkey://h", username: "app" }, "store.password"],
  [{ url: "valkey://h", password: 5 }, "store.password"],
  [{ url: "valkey://h", startWait: "soon" }, "store.startWait"],
  [{ url: "valkey://h", prefix: "{x}" }, "store.prefix"],
  [{ url: "valkey://h", fsync: "full" }, "store.fsync"],
  [{ url: "etcd://h", maxSkew: 5 }, "store.maxSkew"],
  [{ url: "memory:", prefix: "x" }, "store.prefix"],
  [{ url: 5 }, "store.url"],
  [{ url: "mysql://h" }, "store"],
];

for (const [options, path] of REFUSED) {
  test(`readStoreOptions() refuses ${JSON.stringify(options)}`, () => {
    assert.throws(() => readStoreOptions(options as StoreOptions), (error) => {
      assert.ok(error instanceof JobError);
      assert.deepEqual([error.code, error.path], ["invalid_argument", path]);
      return true;
    });
  });
}

test("readStoreOptions() shows no password in its errors", () => {
  const options = { url: "valkey://h", password: "hunter2", nonsense: 1 } as StoreOptions;
  assert.throws(() => readStoreOptions(options), (error) => !String(error).includes("hunter2"));
});

test("isStoreOptions() is false for a store", () => {
  assert.ok(!isStoreOptions(new MemoryStore({})));
  assert.ok(isStoreOptions({ url: "memory:" }));
});
