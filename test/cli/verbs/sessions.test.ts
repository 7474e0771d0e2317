import assert from "node:assert/strict";
import { test } from "node:test";
import { cli, NOW } from "../../support/worlds/cli_world.ts";

const seconds = (ms: number) => ({ seconds: BigInt(ms / 1_000), nanos: 0 });
const URL_OF = (host: string) => `http://${host}:59052/login?code=abc`;
const SESSION = {
  ...{ id: "3f9a01c2".repeat(8), name: "eva", role: "viewer", jobs: ["shop-*"] },
  ...{ createdAt: seconds(NOW - 3_600_000), usedAt: seconds(NOW - 60_000) },
  ...{ address: "10.0.0.1", expiresAt: seconds(NOW + 3_600_000) },
};
const ANSWERS = {
  listSessions: { sessions: [SESSION] },
  revokeSessions: { sessions: [SESSION] },
};

function open(url: string | undefined, argv: readonly string[] = []) {
  return cli(["open", "--print", "-o", "name", ...argv], { answers: { createLoginCode: { url } } });
}

test("open prints the daemon's URL, with the host of this connection if it listens on all", async () => {
  const url = URL_OF("127.0.0.1");
  assert.equal((await open(url)).stdout, `${url}\n`);
  assert.equal((await open(URL_OF("0.0.0.0"))).stdout, `${URL_OF("localhost")}\n`);
  const token = ["--token-file", "t"];
  const far = ["--host", "web1", ...token];
  assert.equal((await open(URL_OF("0.0.0.0"), far)).stdout, `${URL_OF("web1")}\n`);
  assert.equal((await open(URL_OF("[::]"), far)).stdout, `${URL_OF("web1")}\n`);
  const six = ["--host", "2001:db8::1", ...token];
  assert.equal((await open(URL_OF("[::]"), six)).stdout, `${URL_OF("[2001:db8::1]")}\n`);
  // It is where browsers are to go, whatever this command uses.
  assert.equal(
    (await open("https://ops.example.org/jobs/login?code=abc", far)).stdout.slice(0, 29),
    "https://ops.example.org/jobs/",
  );
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
