import assert from "node:assert/strict";
import { test } from "node:test";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { isJobError } from "../../../src/core/errors.ts";
import { type CallOptions, connect, type ConnectOptions } from "../../../src/rpc/client/client.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { rpcWorld } from "../../support/worlds/rpc_world.ts";

function refusal(path: string, message: RegExp, hint?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isJobError(error, "invalid_argument"), String(error));
    assert.equal(error.path, path, error.message);
    assert.match(error.message, message);
    if (hint) assert.match(error.hint ?? "", hint);
    return true;
  };
}

const OPTIONS: readonly (readonly [object, path: string, message: RegExp, hint?: RegExp])[] = [
  [{ sokcet: "/run/s" }, "sokcet", /^Cannot make a client: unknown option/, /"socket"/],
  [{ port: "59051" }, "port", /"port" is "59051", not a whole number from 1 to 65535/],
  [{ socket: 5 }, "socket", /"socket" is 5, not a path, or null/],
  [{ tls: { crt: "a.pem" } }, "tls.crt", /unknown option "tls.crt"/, /"tls.cert"/],
  [{ tls: true }, "tls", /"tls" is true, not an object of paths/],
  [{ values: "jsn" }, "values", /"values" is "jsn", not "text" or "json"/],
  [{ timeoutMs: "1s" }, "timeoutMs", /"timeoutMs" is "1s", not a number/],
];
for (const [options, path, message, hint] of OPTIONS) {
  test(`connect() refuses ${JSON.stringify(options)}`, () => {
    assert.throws(() => connect(options as ConnectOptions), refusal(path, message, hint));
  });
}

const QUERIES: readonly (readonly [object, path: string, message: RegExp, hint?: RegExp])[] = [
  [{ knid: "echo" }, "query.knid", /unknown field "query.knid"/, /"query.kind"/],
  [{ kind: 5 }, "query.kind", /"query.kind" is 5, not text/],
  [{ kind: null }, "query.kind", /"query.kind" is null, not text/],
  [{ kinds: "echo" }, "query.kinds", /"query.kinds" is "echo", not a list/],
  [{ kinds: ["echo", 5] }, "query.kinds[1]", /"query.kinds\[1\]" is 5, not text/],
  [{ state: "COMPLETED" }, "query.state", /is "COMPLETED", not a JobState such as JobState\./],
  [{ states: [99] }, "query.states[0]", /is 99, not a JobState/],
  [{ dead: "yes" }, "query.dead", /is "yes", not true or false/],
  [{ after: new Date() }, "query.after", /is a Date, not a Timestamp: timestampFromDate\(date\)/],
];

test("a cancel with a field that would be left out is refused, and cancels nothing", async () => {
  await using world = await rpcWorld();
  const client = connect({ host: "127.0.0.1", port: world.port, socket: null });
  try {
    await client.scheduleJob({ kind: "echo", arguments: ["7"], afterMs: 3_600_000n });
    for (const [query, ...wanted] of QUERIES) {
      // The kind alone would match.
      const request = { query: { kind: "echo", ...query } };
      await assert.rejects(client.cancelInstances(request), refusal(...wanted));
    }
    await assert.rejects(
      client.cancelInstances({ query: "echo" } as object),
      refusal("query", /./),
    );
    await assert.rejects(
      client.cancelInstances("echo" as unknown as object),
      refusal("", /^Cannot call CancelInstances: found "echo", wanted an object of fields/),
    );
    const query = { kind: "echo", state: JobState.SCHEDULED, before: timestampNow() };
    const { instances } = await client.lookupInstances({ query });
    assert.equal(instances.length, 1);
  } finally {
    client.close();
  }
});

test("a call refuses options that it does not have, also of a stream", async () => {
  const client = connect({ host: "127.0.0.1", port: 1, socket: null });
  const options = { timeout: 5 } as CallOptions;
  const wanted = refusal("timeout", /: unknown option "timeout"/, /"timeoutMs"/);
  await assert.rejects(client.getVersion({}, options), wanted);
  const abort = new AbortController();
  abort.abort();
  // Its signal is inherited.
  await assert.rejects(client.getVersion({}, abort), { code: "canceled" });
  await assert.rejects(client.follow({}, options)[Symbol.asyncIterator]().next(), wanted);
  const request = { qurey: {} };
  const stream = client.follow(request as object)[Symbol.asyncIterator]();
  await assert.rejects(
    stream.next(),
    refusal("qurey", /Cannot call Follow: unknown field/, /"query"/),
  );
  client.close();
});
