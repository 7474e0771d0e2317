import assert from "node:assert/strict";
import { test } from "node:test";
import { maskUrl, parseStoreUrl } from "../../src/core/settings/store_address.ts";
import { isJobError } from "../../src/core/errors.ts";
import { loadText } from "../support/worlds/config_world.ts";

const VALKEY = {
  type: "valkey",
  topology: "single",
  master: null,
  database: 0,
  isTls: false,
  username: null,
  password: null,
} as const;

const PARSED: readonly (readonly [url: string, address: unknown])[] = [
  ["memory:", { type: "memory" }],
  ["sqlite:///a.db", { type: "sqlite", path: "/a.db" }],
  ["./my-store.ts", { type: "module", path: "./my-store.ts" }],
  ["valkey://h", { ...VALKEY, hosts: [{ host: "h", port: 6_379 }] }],
  ["REDIS://[::1]:7/2", { ...VALKEY, hosts: [{ host: "::1", port: 7 }], database: 2 }],
  [
    "rediss://app:p%40ss@h:1/0",
    {
      ...VALKEY,
      hosts: [{ host: "h", port: 1 }],
      isTls: true,
      username: "app",
      password: "p@ss",
    },
  ],
  ["valkeys://:a:b@h", {
    ...VALKEY,
    hosts: [{ host: "h", port: 6_379 }],
    isTls: true,
    password: "a:b",
  }],
  [
    "redis-sentinel://h1,h2:5/jobs/3",
    {
      ...VALKEY,
      topology: "sentinel",
      hosts: [{ host: "h1", port: 26_379 }, { host: "h2", port: 5 }],
      master: "jobs",
      database: 3,
    },
  ],
  [
    "valkeys-cluster://h1,h2",
    {
      ...VALKEY,
      topology: "cluster",
      isTls: true,
      hosts: [{ host: "h1", port: 6_379 }, { host: "h2", port: 6_379 }],
    },
  ],
  ["sqlite:C:\\jobs\\jobctl.db", { type: "sqlite", path: "C:\\jobs\\jobctl.db" }],
  ["sqlite:///C:/jobs/jobctl.db", { type: "sqlite", path: "C:/jobs/jobctl.db" }],
  ["C:\\jobs\\store.ts", { type: "module", path: "C:\\jobs\\store.ts" }],
  [
    "etcd://root:x@h1,h2:1",
    {
      type: "etcd",
      hosts: [{ host: "h1", port: 2_379 }, { host: "h2", port: 1 }],
      isTls: false,
      username: "root",
      password: "x",
    },
  ],
];

for (const [url, address] of PARSED) {
  test(`parseStoreUrl() reads ${maskUrl(url)}`, () => {
    assert.deepEqual(parseStoreUrl(url), address);
  });
}

const REFUSED: readonly (readonly [url: string, message: RegExp, hint?: RegExp])[] = [
  ["valky://h", /found "valky:\/\/h", wanted "memory:"/, /^Did you mean "valkey:"\?$/],
  ["etcd-cluster://h", /found "etcd-cluster:\/\/h"/],
  ["valkey://", /found the host ""/],
  ["valkey:h", /cannot be read/],
  ["valkey://h:0", /found the host "h:0", wanted HOST:PORT/],
  ["valkey://h:65536", /found the host "h:65536"/],
  ["valkey://h1,h2", /found 2 hosts, wanted one/, /valkey-sentinel/],
  ["valkey://h/x", /found the path "x", wanted the number of a database/],
  ["valkey://h/0/1", /found the path "0\/1"/],
  ["valkey-cluster://h/1", /found database 1, wanted 0/],
  ["valkey-sentinel://h", /found no name of a master/],
  ["valkey://h?db=1", /found parameters/],
  ["etcd://h/prefix", /found a path, wanted none/, /store\.prefix/],
  ["valkey://u:p%zz@h", /found a password with a bad % sequence/],
  ["valkey://u:secret@x@h", /cannot be read/, /%40/],
];

for (const [url, message, hint] of REFUSED) {
  test(`parseStoreUrl() refuses ${maskUrl(url)}`, () => {
    assert.throws(() => parseStoreUrl(url), (error) => {
      assert.ok(isJobError(error, "invalid_argument"));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message + error.hint, /secret/);
      if (hint) assert.match(error.hint ?? "", hint);
      return true;
    });
  });
}

test("loadConfig() takes user and password from their keys before those of the URL", async () => {
  const { loaded } = await loadText(
    'store = { url = "valkey://a:b@h", username = "c", password = { file = "p" } }',
    { files: { p: "secret\n" } },
  );
  const { address, url } = loaded!.config.store;
  assert.ok(address.type === "valkey");
  assert.deepEqual([address.username, address.password], ["c", "secret"]);
  assert.equal(url, "valkey://a:***@h");
});

test("loadConfig() turns TLS on when a file of it is named", async () => {
  const { loaded, dir } = await loadText('store = { url = "etcd://h", tls = { ca = "ca.pem" } }');
  const { address, tls } = loaded!.config.store;
  assert.ok(address.type === "etcd" && address.isTls);
  assert.deepEqual(tls, { ca: `${dir}/ca.pem`, cert: null, key: null, serverName: null });
});

test("loadConfig() makes the path of a store module absolute", async () => {
  const { loaded, dir } = await loadText('store.url = "./my-store.ts"');
  assert.deepEqual(loaded!.config.store.address, { type: "module", path: `${dir}/my-store.ts` });
});

test("loadConfig() warns of keys that have no effect with the store", async () => {
  const { warnings, problems } = await loadText('store = { url = "memory:", wait_replicas = 1 }');
  assert.deepEqual(problems, []);
  assert.match(
    warnings.join(),
    /store\.wait_replicas: has no effect with a store of type "memory"/,
  );
});

test("loadConfig() never shows a password when the URL came from a variable", async () => {
  const { problems } = await loadText('store.url = "${URL}"', {
    env: { URL: "valkey://u:secret@x@h" },
  });
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /store\.url: found "\$\{URL\}", wanted/);
  assert.doesNotMatch(problems[0]!, /secret/);
});

for (
  const [text, wanted] of [
    ['prefix = "a{b}"', /store\.prefix: found "a\{b\}", wanted up to 64 letters/],
    ['prefix = ""', /store\.prefix: found ""/],
    ['tls = { cert = "c" }', /store\.tls\.cert: store\.tls\.key is missing/],
    ['username = "u"', /store\.username: store\.password is missing/],
    ["wait_replicas = -1", /store\.wait_replicas: found -1, wanted an integer from 0 to 100/],
    ['fsync = "off"', /store\.fsync: found "off", wanted "full" or "normal"/],
    ['max_skew = "1ms"', /store\.max_skew: found "1ms", wanted a duration of at least 0\.1 s/],
  ] as const
) {
  test(`loadConfig() refuses store.${text}`, async () => {
    const { problems } = await loadText(`[store]\nurl = "valkey://h"\n${text}`);
    assert.match(problems.join(), wanted);
  });
}
