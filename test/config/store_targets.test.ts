import assert from "node:assert/strict";
import { test } from "node:test";
import { loadText } from "../support/worlds/config_world.ts";

test("loadConfig() reads the targets of a move, with whole paths and without showing passwords", async () => {
  const { loaded, problems } = await loadText(
    `[store.targets]
    file = "sqlite:new.db"
    shared = { url = "valkey://h:1", prefix = "p2", username = "u", password = { env = "PW" } }
    etcd = "etcd://:pw@h"`,
    { env: { PW: "secret" } },
  );
  assert.deepEqual(problems, []);
  const { file, shared, etcd } = loaded!.config.store.targets;
  assert.equal(file!.url, `sqlite:${(file!.address as { path: string }).path}`);
  assert.match(file!.url, /^sqlite:\/.*\/new\.db$/);
  assert.equal(file!.prefix, null);
  const { username, password } = shared!.address as { username: string; password: string };
  assert.deepEqual([username, password, shared!.prefix], ["u", "secret", "p2"]);
  assert.equal(shared!.url, "valkey://h:1");
  assert.equal(etcd!.url, "etcd://:***@h");
});

for (
  const [text, wanted] of [
    ['a = "./store.ts"', /found a module/],
    ['a = { url = "/abs/store.js" }', /found a module/],
    ['a = "memory:"', /found memory/],
    ['"a/b" = "sqlite:x"', /an invalid target name/],
    ['"a.ts" = "sqlite:x"', /an invalid target name/],
    ['a = "sqlit:x"', /found "sqlit:x"/],
    ['a = { prefix = "p" }', /found no url/],
    ['a = { url = "sqlite:x", pasword = "y" }', /unknown key/],
    ['a = { url = "valkey://h", prefix = "{x}" }', /wanted up to 64/],
    ["a = 1", /found 1/],
  ] as const
) {
  test(`loadConfig() refuses the target ${text}`, async () => {
    const { loaded, problems } = await loadText(`[store.targets]\n${text}`);
    assert.equal(loaded, null);
    assert.match(problems.join("\n"), wanted);
  });
}
