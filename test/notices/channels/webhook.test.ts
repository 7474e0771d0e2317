import assert from "node:assert/strict";
import { test } from "node:test";
import { retryAfter, signatureOf } from "../../../src/notices/channels/webhook/webhook_channel.ts";
import { ResponseReader } from "../../../src/notices/channels/webhook/http_response.ts";
import {
  channelFor,
  deliver,
  failureOf,
  hookTo,
  withHttpServer,
  withTcpServer,
} from "../../support/notices/channel_world.ts";
import { NOTICE_ID, RUN_ID, sampleNotice } from "../../support/notices/sample_notices.ts";
import { tlsFile } from "../../support/tls_files.ts";

const ok = (_: unknown, response: { end(text?: string): void }) => response.end("ok");

test("signatureOf() returns the published signatures of Standard Webhooks", () => {
  const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330 };
  const body = '{"test": 2432232314}';
  assert.equal(
    signatureOf("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", { ...message, body }),
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  );
});

test("deliver() posts the notice as JSON with its id, time and signature", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  await withHttpServer(ok, async (url, received) => {
    await deliver(channelFor(hookTo(`${url}/x?y=1`, { secret, headers: { "X-Own": "a b" } })));
    const [{ method, path, headers, body }] = received as [typeof received[0]];
    assert.deepEqual([method, path, received.length], ["POST", "/x?y=1", 1]);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["idempotency-key"], NOTICE_ID);
    assert.equal(headers["webhook-id"], NOTICE_ID);
    assert.equal(headers["x-own"], "a b");
    assert.equal(headers.host, new URL(url).host);
    const timestamp = Number(headers["webhook-timestamp"]);
    assert.ok(Math.abs(timestamp - Date.now() / 1_000) < 60);
    assert.equal(
      headers["webhook-signature"],
      signatureOf(secret, { id: NOTICE_ID, timestamp, body }),
    );
    const payload = JSON.parse(body);
    assert.equal(payload.event, "failed");
    assert.equal(payload.job, "backup");
    assert.equal(payload.at, "2026-01-15T09:30:00.000Z");
    assert.deepEqual([payload.run.id, payload.run.error.exit_code], [RUN_ID, 2]);
    assert.equal(payload.run.started_at, "2026-01-15T09:29:00.000Z");
    assert.equal(payload.incident.closed_at, null);
  });
});

test("deliver() fails for now when the server answers 500, and succeeds when it then answers 200", async () => {
  await withHttpServer(
    (_, response, count) => {
      response.statusCode = count === 1 ? 500 : 200;
      response.end("<h1>oops</h1>");
    },
    async (url, received) => {
      const channel = channelFor(hookTo(url));
      const error = await failureOf(channel);
      assert.match(
        error.message,
        /^localhost:\d+ responded with 500: <h1>/,
      );
      assert.deepEqual([error.isPermanent, error.retryAfterMs], [false, undefined]);
      await deliver(channel);
      assert.deepEqual(received.map(({ headers }) => headers["webhook-id"]), [
        NOTICE_ID,
        NOTICE_ID,
      ]);
    },
  );
});

for (
  const [status, isPermanent] of [
    [400, true],
    [404, true],
    [410, true],
    [408, false],
    [425, false],
    [429, false],
    [502, false],
    [503, false],
    [303, true],
  ] as const
) {
  test(`deliver() fails ${isPermanent ? "for good" : "for now"} when the server answers ${status}`, async () => {
    const answer = (_: unknown, response: { statusCode: number; end(): void }) => {
      response.statusCode = status;
      response.end();
    };
    await withHttpServer(answer, async (url) => {
      assert.equal((await failureOf(channelFor(hookTo(url)))).isPermanent, isPermanent);
    });
  });
}

test("deliver() says how long to wait when the server sends Retry-After", async () => {
  await withHttpServer(
    (_, response) => {
      response.writeHead(429, { "Retry-After": "17" });
      response.end();
    },
    async (url) => assert.equal((await failureOf(channelFor(hookTo(url)))).retryAfterMs, 17_000),
  );
});

test("retryAfter() reads seconds, dates and bodies, up to a day", () => {
  const now = Date.UTC(2026, 0, 1);
  const of = (header: string | null, body = "", status = 429) =>
    retryAfter(
      { status, body, headers: new Map(header === null ? [] : [["retry-after", header]]) },
      now,
    );
  assert.equal(of("0"), 0);
  assert.equal(of("Thu, 01 Jan 2026 00:00:30 GMT"), 30_000);
  assert.equal(of("Thu, 01 Jan 2025 00:00:30 GMT"), 0);
  assert.equal(of("9999999999"), 86_400_000);
  assert.equal(of("soon"), undefined);
  assert.equal(of(null, '{"parameters":{"retry_after":5}}'), 5_000);
  assert.equal(of(null, '{"retry_after": 0.25}'), 250);
  assert.equal(of(null, '{"retry_after": 5}', 503), undefined);
});

test("deliver() fails for now when the server refuses the connection", async () => {
  const port = await withTcpServer(() => {}, (found) => Promise.resolve(found));
  const error = await failureOf(channelFor(hookTo(`http://127.0.0.1:${port}/`)));
  assert.match(error.message, /cannot connect to 127\.0\.0\.1:\d+: connection refused/);
  assert.equal(error.isPermanent, false);
});

test("deliver() says what to write when the server does not use TLS", async () => {
  await withHttpServer(ok, async (url, received) => {
    const error = await failureOf(channelFor(hookTo(url.replace("http:", "https:"))));
    assert.match(error.message, /^cannot connect to localhost:\d+: /);
    assert.equal(error.hint, "No TLS at this port: write http://", error.message);
    assert.equal(received.length, 0);
  });
});

test("deliver() fails for now when the server cuts the connection after the request", async () => {
  await withTcpServer((socket) => socket.once("data", () => socket.destroy()), async (port) => {
    const error = await failureOf(channelFor(hookTo(`http://127.0.0.1:${port}/`)));
    assert.match(error.message, /connection/);
    assert.equal(error.isPermanent, false);
  });
});

test("deliver() fails at its time limit when the server does not answer", async () => {
  await withTcpServer(() => {}, async (port) => {
    const channel = channelFor(hookTo(`http://127.0.0.1:${port}/`), { timeoutMs: 200 });
    const error = await failureOf(channel);
    assert.match(error.message, /no response within 0\.2 s/);
    assert.equal(error.isPermanent, false);
  });
});

test("deliver() fails when it is aborted", async () => {
  await withTcpServer(() => {}, async (port) => {
    const abort = new AbortController();
    const channel = channelFor(hookTo(`http://127.0.0.1:${port}/`));
    const delivery = channel.deliver(sampleNotice(), { attempt: 1, signal: abort.signal });
    abort.abort();
    await assert.rejects(delivery, /it was aborted/);
  });
});

test("deliver() reads only the beginning when the answer is huge or never ends", async () => {
  const chunk = "x".repeat(65_536);
  let sent = 0;
  await withTcpServer((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n");
      const more = () => {
        if (socket.destroyed) return;
        sent += chunk.length;
        socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`, more);
      };
      more();
    });
  }, async (port) => {
    const error = await failureOf(channelFor(hookTo(`http://127.0.0.1:${port}/`)));
    assert.match(error.message, /responded with 500: xxx/);
    assert.ok(error.message.length < 400);
    assert.ok(sent < 20_000_000, `${sent}`);
  });
});

test("deliver() succeeds when the headers say so, although the body never comes", async () => {
  await withTcpServer((socket) => {
    socket.once(
      "data",
      () =>
        socket.write(
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\n",
        ),
    );
  }, async (port) => {
    await deliver(channelFor(hookTo(`http://127.0.0.1:${port}/`)));
  });
});

test("deliver() fails when the answer is not HTTP, or its headers are endless", async () => {
  for (
    const [answer, problem] of [
      ["220 mail.example.com ESMTP\r\n", /something other than HTTP/],
      [`HTTP/1.1 200 OK\r\n${"X-A: b\r\n".repeat(10_000)}`, /more than 32 KiB of headers/],
    ] as const
  ) {
    await withTcpServer((socket) => socket.write(answer), async (port) => {
      assert.match(
        (await failureOf(channelFor(hookTo(`http://127.0.0.1:${port}/`)))).message,
        problem,
      );
    });
  }
});

test("ResponseReader takes a few interim responses, but not any number", () => {
  const go = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
  const few = new ResponseReader();
  for (let count = 0; count < 5; count++) few.write(go);
  few.write(Buffer.from("HTTP/1.1 204 No Content\r\n\r\n"));
  assert.equal(few.response?.status, 204);
  const many = new ResponseReader();
  for (let count = 0; count < 1_000 && !many.isComplete; count++) many.write(go);
  assert.match(many.problem ?? "", /more than 10 interim responses/);
});

test("ResponseReader joins chunks that come byte by byte", () => {
  const reader = new ResponseReader();
  const text =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
  for (const byte of Buffer.from(text)) {
    assert.equal(reader.isComplete, false);
    reader.write(Buffer.from([byte]));
    if (reader.isComplete) break;
  }
  assert.equal(reader.isComplete, true);
  assert.equal(reader.response?.body, "abcde");
});

test("deliver() follows a redirect with the same request when it leads to the same host", async () => {
  await withHttpServer(
    (request, response) => {
      if (request.path !== "/new") response.writeHead(307, { Location: "/new" });
      response.end();
    },
    async (url, received) => {
      await deliver(channelFor(hookTo(`${url}/old`, { headers: { Authorization: "Basic abc" } })));
      assert.deepEqual(received.map(({ path }) => path), ["/old", "/new"]);
      assert.equal(received[1]!.method, "POST");
      assert.equal(received[1]!.body, received[0]!.body);
      assert.equal(received[1]!.headers.authorization, "Basic abc");
    },
  );
});

test("deliver() sends its own headers to nobody else when a redirect leads to an allowed host", async () => {
  await withHttpServer(ok, (target, received) =>
    withHttpServer(
      (_, response) => {
        response.writeHead(308, { Location: target.replace("localhost", "127.0.0.1") });
        response.end();
      },
      async (url) => {
        const headers = { Authorization: "Basic abc", "X-Own": "1" };
        const refused = await failureOf(channelFor(hookTo(url, { headers })));
        assert.match(refused.message, /redirects \(308\) to 127\.0\.0\.1, which is not allowed/);
        assert.equal(refused.isPermanent, true);
        assert.equal(received.length, 0);
        await deliver(channelFor(hookTo(url, { headers, allowHosts: ["127.0.0.1"] })));
        assert.equal(received[0]!.headers.authorization, undefined);
        assert.equal(received[0]!.headers["x-own"], undefined);
        assert.equal(received[0]!.headers["webhook-id"], NOTICE_ID);
      },
    ));
});

test("deliver() gives up when redirects go in a circle", async () => {
  await withHttpServer(
    (_, response) => {
      response.writeHead(302, { Location: "/" });
      response.end();
    },
    async (url, received) => {
      assert.match(
        (await failureOf(channelFor(hookTo(url)))).message,
        /redirects more than 3 times/,
      );
      assert.equal(received.length, 4);
    },
  );
});

test("deliver() connects to no private address unless it is allowed, whatever the name is", async () => {
  await withHttpServer(ok, async (url, received) => {
    for (const host of ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "0x7f.1"]) {
      const private_ = hookTo(url.replace("localhost", host), { allowPrivate: false });
      const error = await failureOf(channelFor(private_));
      assert.match(error.message, /which is not public/);
      assert.equal(error.isPermanent, true);
    }
    assert.equal(received.length, 0);
  });
});

/** A network in which 127.0.0.1 is public. Each lookup of a name gives its next address. */
function networkOf(names: Readonly<Record<string, readonly string[]>>) {
  const asked: string[] = [];
  return {
    asked,
    lookup(host: string) {
      const before = asked.filter((name) => name === host).length;
      asked.push(host);
      return Promise.resolve([names[host]!.at(before) ?? names[host]!.at(-1)!]);
    },
    isPublic: (address: string) => address === "127.0.0.1",
  };
}

test("deliver() follows no redirect to a private address, although its host is allowed", async () => {
  for (const location of ["http://127.0.0.2/", "http://inside.test/"]) {
    await withHttpServer(
      (_, response) => {
        response.writeHead(307, { Location: location });
        response.end();
      },
      async (url, received) => {
        const network = networkOf({ "inside.test": ["127.0.0.2"], "hook.test": ["127.0.0.1"] });
        const allowHosts = ["127.0.0.2", "inside.test"];
        const target = hookTo(url.replace("localhost", "hook.test"), {
          allowHosts,
          allowPrivate: false,
        });
        const error = await failureOf(channelFor(target, { network }));
        assert.match(error.message, /has the address 127\.0\.0\.2, which is not public/);
        assert.equal(error.isPermanent, true);
        assert.equal(received.length, 1);
      },
    );
  }
});

test("deliver() connects to the address that it has checked when a name changes its address", async () => {
  await withHttpServer(ok, async (url, received) => {
    const network = networkOf({ "hook.test": ["127.0.0.1", "127.0.0.2"] });
    const target = hookTo(url.replace("localhost", "hook.test"), { allowPrivate: false });
    await deliver(channelFor(target, { network }));
    assert.deepEqual(network.asked, ["hook.test"]);
    assert.equal(received[0]!.headers.host, new URL(target.url).host);
    assert.match((await failureOf(channelFor(target, { network }))).message, /not public/);
    assert.equal(received.length, 1);
  });
});

test("deliver() checks the server's certificate against the name and the authority", async () => {
  await withHttpServer(ok, async (url, received) => {
    const caFile = tlsFile("server.crt");
    await deliver(channelFor(hookTo(url, { caFile })));
    assert.equal(received.length, 1);
    const unknown = await failureOf(channelFor(hookTo(url)));
    assert.match(unknown.message, /self.signed/i);
    assert.equal(unknown.isPermanent, false);
    const network = networkOf({ "hook.test": ["127.0.0.1"] });
    const other = hookTo(url.replace("localhost", "hook.test"), { caFile });
    assert.match((await failureOf(channelFor(other, { network }))).message, /altnames/);
    assert.equal(received.length, 1);
  }, { isTls: true });
});

test("deliver() masks secrets in what a server answers", async () => {
  await withHttpServer(
    (request, response) => {
      response.statusCode = 400;
      response.end(`bad header ${request.headers.authorization}`);
    },
    async (url) => {
      const target = hookTo(url, { headers: { Authorization: "Bearer s3cret-token" } });
      const error = await failureOf(channelFor(target, { secrets: ["Bearer s3cret-token"] }));
      assert.match(error.message, /bad header \*\*\*/);
    },
  );
});

test("preview() shows the whole request without its secrets", async () => {
  const target = hookTo("https://hooks.slack.com/services/T000/B000/verysecretkey", {
    preset: "slack",
    isUrlSecret: true,
    headers: { "X-Key": "0123456789abcdef" },
  });
  const text = await channelFor(target, { secrets: ["0123456789abcdef"] }).preview(sampleNotice());
  assert.match(text, /^POST \/\*\*\* HTTP\/1\.1\nHost: hooks\.slack\.com\n/);
  assert.match(text, /\nX-Key: \*\*\*\n/);
  assert.doesNotMatch(text, /verysecretkey|0123456789abcdef/);
  assert.match(text, /\n\n\{"text":"backup failed: Command /);
});

test("deliver() fills a template of the configuration in the form of its content type", async () => {
  const title = 'a "b" & c\nd';
  await withHttpServer(ok, async (url, received) => {
    const bodyOf = async (body: string, type?: string) => {
      const headers: Record<string, string> = type === undefined ? {} : { "Content-Type": type };
      const target = hookTo(url, { body, headers });
      await deliver(channelFor(target), sampleNotice({ title }));
      const { body: sent, headers: got } = received.at(-1)!;
      return [got["content-type"], sent];
    };
    assert.deepEqual(await bodyOf('{"t": "{{ title }}", "n": [1, "{{job}}/{{run_id}}"]}'), [
      "application/json",
      JSON.stringify({ t: 'a "b" & c\\nd', n: [1, `backup/${RUN_ID}`] }),
    ]);
    assert.deepEqual(await bodyOf("{{event}}: {{job}}"), [
      "text/plain; charset=utf-8",
      "failed: backup",
    ]);
    const form = "application/x-www-form-urlencoded";
    assert.deepEqual(await bodyOf("text={{title}}", form), [
      form,
      "text=a%20%22b%22%20%26%20c%5Cnd",
    ]);
    assert.deepEqual(await bodyOf("<p>{{title}}</p>", "text/html"), [
      "text/html",
      "<p>a &quot;b&quot; &amp; c\\nd</p>",
    ]);
  });
});
