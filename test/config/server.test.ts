import assert from "node:assert/strict";
import { test } from "node:test";
import { asWindows } from "../support/as_windows.ts";
import { loadText } from "../support/worlds/config_world.ts";

const TLS = 'tls = { cert = "c.pem", key = "k.pem" }';

const ACCEPTED: readonly string[] = [
  'host = "localhost"\nauth.mode = "none"',
  'host = "127.8.8.8"',
  'host = "::1"',
  `host = "0.0.0.0"\n${TLS}`,
  'host = "0.0.0.0"\nauth.mode = "none"\nallow_insecure = true',
  'http = "[::1]:0"',
  'http = ""\nport = 59052',
  'host = "h"\ntls = { cert = "c", key = "k", client_ca = "a" }\nauth.mode = "mtls"',
];

for (const text of ACCEPTED) {
  test(`loadConfig() accepts ${JSON.stringify(text)} in [server]`, async () => {
    assert.deepEqual((await loadText(`[server]\n${text}`)).problems, []);
  });
}

const REFUSED: readonly (readonly [text: string, wanted: string])[] = [
  ['host = "0.0.0.0"', '2:8: server.host: other hosts can reach "0.0.0.0" without TLS'],
  [`host = "::"\nauth.mode = "none"\n${TLS}`, '2:8: server.host: other hosts can reach "::"'],
  ['http = "0.0.0.0:80"', '2:8: server.http: other hosts can reach "0.0.0.0" without TLS'],
  [`http = "0.0.0.0:80"\nauth.mode = "none"\n${TLS}`, "2:8: server.http: other hosts can reach"],
  [
    'http_origins = ["https://a.example", "https://a.example/"]',
    '2:38: server.http_origins[1]: found "https://a.example/", wanted an origin',
  ],
  ['http = "localhost"', '2:8: server.http: found "localhost", wanted "HOST:PORT"'],
  ['http = "h:65536"', '2:8: server.http: found "h:65536"'],
  ['http = "127.0.0.1:59051"', "2:8: server.http: server.http and server.port are both 59051"],
  ["port = 65536", "2:8: server.port: found 65536, wanted an integer from 0 to 65535"],
  [
    'http_hosts = ["a.b", "http://a"]',
    '2:22: server.http_hosts[1]: found "http://a", wanted a host name',
  ],
  [
    'http_hosts = ["a.b:59052"]',
    '2:15: server.http_hosts[0]: found "a.b:59052", wanted a host name',
  ],
  ['tls = { cert = "c" }', "2:9: server.tls.cert: server.tls.key is missing"],
  ['tls = { client_ca = "c" }', "2:9: server.tls.client_ca: server.tls.cert and"],
  ['auth.mode = "mtls"', '2:13: server.auth.mode: "mtls" needs server.tls.client_ca'],
  [`socket = "/${"x".repeat(110)}"`, "2:10: server.socket: the path "],
  ['auth.tokens = [{ name = "a" }]', "2:16: server.auth.tokens[0]: found no role, wanted a table"],
  [
    'auth.tokens = [{ name = "a", role = "admin", token = "short" }]',
    "2:54: server.auth.tokens[0].token: found a token of 5 characters, wanted at least 16",
  ],
];

test("loadConfig() refuses a Unix socket on Windows", async () => {
  const { problems } = await asWindows(() => loadText('[server]\nsocket = "jobctl.sock"'));
  assert.deepEqual(problems.map((problem) => problem.slice(0, 60)), [
    "config.toml:2:10: server.socket: Windows has no Unix sockets",
  ]);
  const { loaded } = await asWindows(() => loadText('[server]\nsocket = "auto"'));
  assert.equal(loaded!.config.server.socket, "auto");
});

for (const [text, wanted] of REFUSED) {
  test(`loadConfig() refuses ${JSON.stringify(text.slice(0, 60))} in [server]`, async () => {
    const { loaded, problems } = await loadText(`[server]\n${text}`);
    assert.equal(loaded, null);
    assert.ok(
      problems.some((problem) => problem.startsWith(`config.toml:${wanted}`)),
      problems.join("\n"),
    );
  });
}

test("loadConfig() reads tokens by reference", async () => {
  const { loaded } = await loadText(
    '[[server.auth.tokens]]\nname = "ci"\nrole = "operator"\ntoken = { env = "T" }',
    { env: { T: "0123456789abcdef" } },
  );
  assert.deepEqual(loaded!.config.server.auth.tokens, [
    {
      name: "ci",
      role: "operator",
      hash: "sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f",
      jobs: null,
      expiresAt: null,
    },
  ]);
});

test("loadConfig() refuses a module directory that is not there, at its place", async () => {
  const { problems } = await loadText('modules = [".", "none"]');
  assert.match(
    problems.join(),
    /^config\.toml:1:17: modules\[1\]: cannot read the directory .*no such/,
  );
});

for (
  const [url, type] of [["memory:", "memory"], ["sqlite:a.db", "sqlite"], [
    "sqlite:///a.db",
    "sqlite",
  ]]
) {
  test(`loadConfig() opens ${url} as ${type}`, async () => {
    const { loaded } = await loadText(`store.url = "${url}"`);
    assert.equal(loaded!.config.store.address.type, type);
    assert.equal(loaded!.config.store.url, url);
  });
}

for (const url of ["", "sqlite:", "sqlite::memory:", "sqllite:x", "a.db"]) {
  test(`loadConfig() refuses the store "${url}"`, async () => {
    const { problems } = await loadText(`store.url = "${url}"`);
    assert.match(problems.join(), /^config\.toml:1:13: store\.url: found "/);
  });
}
