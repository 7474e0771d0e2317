import assert from "node:assert/strict";
import { test } from "node:test";
import process from "node:process";
import { cli, type CliOptions, NOW } from "../../support/worlds/cli_world.ts";

const seconds = (ms: number) => ({ seconds: BigInt(ms / 1_000), nanos: 0 });
const URL_OF = (host: string) => `http://${host}:59052/login?code=${"c".repeat(43)}`;
const SESSION = {
  ...{ id: "3f9a01c2".repeat(8), name: "eva", role: "viewer", jobs: ["shop-*"] },
  ...{ createdAt: seconds(NOW - 3_600_000), usedAt: seconds(NOW - 60_000) },
  ...{ address: "10.0.0.1", expiresAt: seconds(NOW + 3_600_000) },
};
const ANSWERS = {
  listSessions: { sessions: [SESSION] },
  revokeSessions: { sessions: [SESSION] },
};

const CODE = "c".repeat(43);

function open(url: string | undefined, argv: readonly string[] = [], options: CliOptions = {}) {
  return cli(["open", "-o", "name", ...argv], {
    answers: { createLoginCode: { url, code: CODE } },
    ...options,
  });
}

test("open prints the daemon's URL, with the host of this connection if it listens on all", async () => {
  const url = URL_OF("127.0.0.1");
  assert.equal((await open(url)).stdout, `${url}\n`);
  // Not "localhost": browsers try ::1 first, where the daemon does not listen.
  assert.equal((await open(URL_OF("0.0.0.0"))).stdout, `${URL_OF("127.0.0.1")}\n`);
  assert.equal((await open(URL_OF("[::]"))).stdout, `${URL_OF("[::1]")}\n`);
  const secure = (host: string) => URL_OF(host).replace("http:", "https:");
  assert.equal((await open(secure("0.0.0.0"))).stdout, `${secure("localhost")}\n`);
  const token = ["--token-file", "t"];
  const far = ["--host", "web1", ...token];
  assert.equal((await open(URL_OF("0.0.0.0"), far)).stdout, `${URL_OF("web1")}\n`);
  assert.equal((await open(URL_OF("[::]"), far)).stdout, `${URL_OF("web1")}\n`);
  const six = ["--host", "2001:db8::1", ...token];
  assert.equal((await open(URL_OF("[::]"), six)).stdout, `${URL_OF("[2001:db8::1]")}\n`);
  // Another address of the host that was called.
  assert.equal((await open(URL_OF("10.1.2.3"), far)).stdout, `${URL_OF("web1")}\n`);
  // It is where browsers are to go, whatever this command uses.
  const proxy = `https://ops.example.org/jobs/login?code=${CODE}`;
  assert.equal((await open(proxy, far)).stdout, `${proxy}\n`);
});

const DESKTOP = { DISPLAY: ":9", PATH: "/nonexistent" };

test("open prints a URL on another host than the one that was called, and does not open it", async () => {
  const options = { isTerminal: true, env: DESKTOP };
  for (
    const [url, argv] of <[string, string[]][]> [
      [`https://evil.example/login?code=${CODE}`, []],
      [`http://10.99.98.97:59052/login?code=${CODE}`, []],
      [`https://evil.example/login?code=${CODE}`, ["--host", "web1", "--token-file", "t"]],
      [`http://localhost:59052/login?code=${CODE}`, ["--host", "web1", "--token-file", "t"]],
    ]
  ) {
    const run = await open(url, argv, options);
    assert.equal(run.stdout, `${url}\n`);
    assert.match(run.stderr, /^Not opened: \S+ is not the host that was called\n$/);
  }
});

test("open takes nothing from a daemon but the URL of a login page and a code", async () => {
  for (
    const url of [
      ...["file:///etc/passwd", "javascript:alert(1)//login", "ms-word:x/login", "--help", "login"],
      ...["http://localhost:59052/", "http://a:b@localhost:59052/login?code=x", "x".repeat(3_000)],
      ...[
        "ftp://localhost/login",
        "http://localhost:59052/login/evil",
        "\x1b]0;x\x07http://x/login",
      ],
    ]
  ) {
    const run = await open(url, [], { isTerminal: true, env: DESKTOP });
    assert.equal(run.code, 7, url);
    assert.equal(run.stdout, "");
    assert.match(run.stderr, /the daemon names it, and it is not a login page/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(run.stderr, /\x1b\]/);
  }
  for (const code of ["", "short", `${CODE}"><script>`, `${CODE}&next=//evil`]) {
    const run = await open(undefined, [], {
      answers: { createLoginCode: { url: URL_OF("localhost"), code } },
    });
    assert.deepEqual([run.code, run.stdout], [7, ""]);
  }
});

test("open creates a code for the caller of sudo, or for the user that is named", async () => {
  const isRoot = process.getuid?.() === 0;
  const uidOf = async (argv: readonly string[], env: Record<string, string>) => {
    const { calls } = await open(URL_OF("localhost"), argv, { env });
    return calls.find(({ method }) => method === "createLoginCode")!.request["uid"];
  };
  const sudo = { SUDO_UID: "1000" };
  assert.equal(await uidOf([], {}), undefined);
  assert.equal(await uidOf([], sudo), isRoot ? 1_000n : undefined);
  assert.equal(await uidOf([], { SUDO_UID: "0" }), undefined);
  assert.equal(await uidOf(["--user", "1234"], sudo), 1_234n);
  // It is a user of the other machine that counts there.
  assert.equal(await uidOf(["--host", "web1", "--token-file", "t"], sudo), undefined);
  assert.equal((await open(URL_OF("localhost"), ["--user", "nobody-of-that-name"])).code, 2);
});

test("open prints the URL if no browser can be started", async () => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/nonexistent";
  try {
    const run = await open(URL_OF("127.0.0.1"), [], { isTerminal: true, env: DESKTOP });
    assert.equal(run.stdout, `${URL_OF("127.0.0.1")}\n`);
    assert.match(run.stderr, /^Cannot open a browser: /);
  } finally {
    process.env["PATH"] = path;
  }
});

test("open fails if the daemon has no HTTP listener", async () => {
  const run = await open(undefined);
  assert.equal(run.stdout, "");
  assert.match(run.stderr, /does not serve it\nhint: Set server\.http/);
});

test("sessions lists who is logged in, without a second word", async () => {
  const table = await cli(["sessions"], { answers: ANSWERS, isTerminal: true, columns: 120 });
  const [head, row] = table.stdout.trimEnd().split("\n");
  assert.match(head!, /^ID +NAME +ROLE +SINCE +LAST USED +ADDRESS +UNTIL *$/);
  assert.match(row!, /^3f9a01c23f9a +eva +viewer .* 10\.0\.0\.1 +in 1h$/);
  const [json] = JSON.parse((await cli(["sessions", "list"], { answers: ANSWERS })).stdout);
  assert.deepEqual(Object.keys(json), [
    ...[
      "id",
      "name",
      "role",
      "jobs",
      "created_at",
      "used_at",
      "address",
      "expires_at",
      "is_current",
    ],
  ]);
  assert.equal((await cli(["sessions", "--help"])).stdout.includes("revoke"), true);
  assert.equal((await cli(["sessions", "ilst"])).code, 2);
});

test("sessions revoke ends one session, or all of them after a question", async () => {
  const one = await cli(["sessions", "revoke", "3f9a"], { answers: ANSWERS });
  assert.deepEqual(one.calls, [{ method: "revokeSessions", request: { id: "3f9a", all: false } }]);
  const refused = await cli(["sessions", "revoke", "--all"], { answers: ANSWERS });
  assert.match(refused.stderr, /Cannot end 1 session without confirmation/);
  const no = await cli(["sessions", "revoke", "--all"], { answers: ANSWERS, input: "n\n" });
  assert.deepEqual(no.calls.map(({ method }) => method), ["listSessions"]);
  const all = await cli(["sessions", "revoke", "--all", "--yes"], { answers: ANSWERS });
  assert.deepEqual(all.calls.at(-1)!.request, { id: undefined, all: true });
  for (const argv of [[], ["3f9a", "--all"]]) {
    assert.equal((await cli(["sessions", "revoke", ...argv], { answers: ANSWERS })).code, 2);
  }
});
