// Strangers at the hooks of a daemon: floods, large and slow bodies, forged and replayed requests;
// and a sender who knows the secret, but sends what nobody expects.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";

const SECRET = "a-secret-that-nobody-may-see-0123456789";
const TOML = `
[server]
trusted_proxies = ["127.0.0.1"]
[jobs.deploy]
run = "echo done"
params = "ref?: unknown"
[jobs.deploy.hook]
verify = "github"
secret = { file = "secret" }
arguments = { ref = "$.ref" }
[jobs.spies]
run = "env; tr '\\\\0' '\\\\n' < /proc/$PPID/environ; cat /proc/$PPID/cmdline"
[jobs.spies.hook]
verify = "token"
secret = { file = "secret" }
`;
const FLOOD_BYTES = 1_048_576;
const MIB = 1_048_576;

let daemon: Daemon;

before(async () => {
  daemon = await startDaemon({ toml: TOML, modules: { "../secret": SECRET } });
});

after(async () => {
  await daemon.stop({ force: true });
});

const url = (kind = "deploy") => `http://127.0.0.1:${daemon.httpPort}/hooks/${kind}`;

function sign(body: Uint8Array | string): string {
  return `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
}

async function send(body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string> = {}) {
  const response = await fetch(url(), {
    method: "POST",
    headers: {
      ...{ "content-type": "application/json", "x-hub-signature-256": sign(body) },
      ...headers,
    },
    body,
  });
  return { status: response.status, text: await response.text() };
}

function residentMib(): number {
  const status = readFileSync(`/proc/${daemon.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1_024;
}

test("strangers with large bodies of wrong signatures do not keep a delivery out", async () => {
  const body = randomBytes(FLOOD_BYTES);
  let isOver = false;
  const answers = new Map<number, number>();
  const stranger = async (index: number) => {
    for (let count = 0; !isOver; count++) {
      const address = `10.${index}.${count >> 8 & 255}.${count & 255}`;
      const headers = { "x-forwarded-for": address, "x-hub-signature-256": sign("other") };
      // A connection may be closed to make room.
      const status = await send(body, headers).then((answer) => answer.status, () => 0);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  };
  const strangers = Array.from({ length: 16 }, (_, index) => stranger(index));
  let peakMib = 0;
  for (let count = 0; count < 20; count++) {
    const answer = await send(`{"ref":"flooded ${count}"}`, { "x-forwarded-for": "192.0.2.1" });
    assert.equal(answer.status, 201, answer.text);
    peakMib = Math.max(peakMib, residentMib());
  }
  isOver = true;
  await Promise.all(strangers);
  assert.ok((answers.get(401) ?? 0) > 20, JSON.stringify([...answers]));
  assert.ok(peakMib < 400, `${peakMib} MiB`);
});

test("bodies that never end do not keep a delivery out, and their memory is bounded", async () => {
  const sockets: Socket[] = [];
  const half = Buffer.alloc(MIB / 2, 32);
  for (let count = 0; count < 200; count++) {
    const socket = connect(daemon.httpPort, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      `POST /hooks/deploy HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 10.9.0.${count}\r\n` +
        `content-length: ${MIB}\r\n\r\n`,
    );
    socket.write(half);
    sockets.push(socket);
  }
  for (let count = 0; count < 10; count++) {
    const answer = await send(`{"ref":"slow ${count}"}`, { "x-forwarded-for": "192.0.2.2" });
    assert.equal(answer.status, 201, answer.text);
  }
  assert.ok(residentMib() < 400, `${residentMib()} MiB`);
  for (const socket of sockets) socket.destroy();
});

test("a sender with the secret breaks nothing, whatever it sends", async () => {
  const bodies: (string | Uint8Array<ArrayBuffer>)[] = [
    ...["", "null", "0", '""', "[]", "{", "\0", "\ufeff{}", "{}{}", '{"ref":NaN}', "nul"],
    ...['{"__proto__":{"ref":1}}', '{"ref":{"__proto__":{"x":1}}}', '{"ref":{"constructor":1}}'],
    ...[`{"ref":${"[".repeat(900)}${"]".repeat(900)}}`, `${"[".repeat(500_000)}`],
    ...['{"ref":1e999}', `{"ref":${"9".repeat(9_000)}}`, `{"ref":"${"x".repeat(MIB - 20)}"}`],
    ...[`{"ref":"\\ud800"}`, '{"ref":"a","ref":"b"}', '{"ref":"$(reboot)\\u0000"}'],
    ...Array.from({ length: 30 }, (_, length) => new Uint8Array(randomBytes(length * 7))),
  ];
  const statuses = new Set<number>();
  for (const body of bodies) {
    const { status, text } = await send(body);
    assert.ok([200, 201, 422].includes(status), `${status} ${text} ${String(body).slice(0, 50)}`);
    statuses.add(status);
  }
  assert.ok(statuses.has(201) && statuses.has(422));
  const paths = ["..%2f..%2fetc", "%00", "%ff", "deploy%2f..", "a".repeat(5_000), "constructor"];
  for (const path of paths) {
    const response = await fetch(url(path), { method: "POST", body: "{}" });
    assert.ok([404, 429].includes(response.status), `${path} ${response.status}`);
  }
});

test("nobody finds the secret: not its jobs, not callers, not the log", async () => {
  const response = await fetch(url("spies"), {
    method: "POST",
    headers: { authorization: `Bearer ${SECRET}` },
  });
  assert.equal(response.status, 201);
  const { id } = await response.json() as { readonly id: string };
  const client = daemon.client();
  const { instance } = await client.waitInstance({ uuid: id, waitMs: 20_000n });
  assert.equal(instance!.reason, "ok");
  const { entries } = await client.lookupInstanceLogs({ query: { uuid: id } });
  const output = entries.map(({ message }) => message).join("\n");
  assert.match(output, /^PATH=/m);
  // Neither the secret, nor what it would be masked with.
  assert.ok(!output.includes(SECRET) && !output.includes("***"), output);
  const shown = [
    JSON.stringify(
      await client.getJob({ kind: "spies" }),
      (_, value) => typeof value === "bigint" ? String(value) : value,
    ),
    (await daemon.ask(["describe", "job", "spies"])).stdout,
    (await daemon.ask(["get", "job", "spies", "-o", "json"])).stdout,
    (await daemon.jobctl(["check", "--config", `${daemon.dir}/config.toml`])).stdout,
    await (await fetch(`http://127.0.0.1:${daemon.httpPort}/metrics`)).text(),
    daemon.log(),
  ];
  for (const text of shown) assert.ok(!text.includes(SECRET), text.slice(0, 500));
});

test("a caller cannot take the id that a delivery will have", async () => {
  const body = '{"ref":"taken"}';
  const first = JSON.parse((await send(body)).text) as { readonly id: string };
  const client = daemon.client();
  const schedule = (id: string) => client.scheduleJob({ kind: "spies", uuid: id });
  await assert.rejects(
    schedule(first.id),
    /version 8, which the daemon makes for notices, hooks and/,
  );
});
