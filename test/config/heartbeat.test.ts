import assert from "node:assert/strict";
import { test } from "node:test";
import { loadText } from "../support/worlds/config_world.ts";

const ACCEPTED: readonly string[] = [
  'url = "https://hc.example/key"',
  'url = "https://hc.example/key"\nevery = "1s"',
  'url = "http://127.0.0.1:8000/key"\nallow_private = true',
  'url = { env = "BEAT" }',
];

for (const text of ACCEPTED) {
  test(`loadConfig() accepts ${JSON.stringify(text)} in [heartbeat]`, async () => {
    const env = { BEAT: "https://hc.example/from-env" };
    assert.deepEqual((await loadText(`[heartbeat]\n${text}`, { env })).problems, []);
  });
}

const REFUSED: readonly (readonly [text: string, wanted: string])[] = [
  ['url = "hc.example/key"', "2:7: heartbeat.url: found no URL"],
  ['url = "ftp://hc.example/key"', "2:7: heartbeat.url: found no URL"],
  ['url = "https://me:key@hc.example/"', "2:7: heartbeat.url: found a user or a password"],
  ['url = "http://hc.example/key"', "2:7: heartbeat.url: found http://, wanted https://"],
  ['url = "https://10.0.0.1/key"', "2:7: heartbeat.url: found a private address"],
  ['url = "https://localhost/key"', "2:7: heartbeat.url: found a private address"],
  ['url = "https://hc.example/key"\nevery = "999ms"', "3:9: heartbeat.every: "],
];

for (const [text, wanted] of REFUSED) {
  test(`loadConfig() refuses ${JSON.stringify(text)} in [heartbeat], without the key`, async () => {
    const { problems } = await loadText(`[heartbeat]\n${text}`);
    const [first = ""] = problems;
    assert.ok(first.includes(wanted), first);
    assert.ok(!first.includes("/key") && !first.includes(":key"), first);
  });
}

test("loadConfig() hides the URL of the heartbeat as a secret", async () => {
  const { loaded } = await loadText('[heartbeat]\nurl = "https://hc.example/key"');
  assert.ok(loaded!.secrets.has("https://hc.example/key"));
});
