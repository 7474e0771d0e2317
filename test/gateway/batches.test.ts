import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchSender, type FrameCodec, readBatch } from "../../src/gateway/batches.ts";
import { ANSWER_CODEC, REQUEST_CODEC } from "../../src/gateway/frame_codecs.ts";
import type { Answer, Batch, Request } from "../../src/gateway/messages.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { UnaryName } from "../../src/rpc/backend.ts";
import { JobService } from "../../src/rpc/gen/job_pb.ts";

/** The frames that arrive, in order, and the batches that carried them. */
async function sent<Frame extends { readonly type: string }>(
  codec: FrameCodec<Frame>,
  frames: readonly (readonly [Frame, string?])[],
): Promise<{ readonly batches: readonly Batch<Frame>[]; readonly arrived: readonly unknown[] }> {
  const batches: Batch<Frame>[] = [];
  const sender = new BatchSender<Frame>(codec, systemClock, (message, transfer) => {
    batches.push(structuredClone(message, { transfer: [...transfer] }));
  });
  for (const [frame, text] of frames) {
    if (text === undefined) sender.send(frame);
    else sender.send(frame, new TextEncoder().encode(text));
  }
  await new Promise<void>((resolve) => systemClock.defer(resolve));
  const arrived: unknown[] = [];
  for (const batch of batches) {
    readBatch(codec, batch, (frame, payload) => {
      arrived.push([frame, ...(payload.length > 0 ? [new TextDecoder().decode(payload)] : [])]);
    });
  }
  return { batches, arrived };
}

test("requests of one turn arrive in order with their payloads", async () => {
  const frames: readonly (readonly [Request, string?])[] = [
    [{ type: "call", id: 1, method: "scheduleJob", jobs: null }, "one"],
    [{ type: "call", id: 2, method: "lookupInstances", jobs: ["shop-*"] }, "two"],
    [{ type: "ask", id: 3, question: { name: "metrics", args: [] } }],
    [{ type: "stream", id: 4, method: "follow", jobs: null }, "four"],
    [{ type: "next", id: 4 }],
    [{ type: "cancel", id: 2 ** 40 }],
    [{ type: "watch", isOn: true }],
    [{ type: "call", id: 2 ** 40 + 1, method: "getVersion", jobs: null }],
    [{ type: "call", id: 5, method: "getPingKey", jobs: null, isJson: true }, "six"],
    [{ type: "call", id: 6, method: "getVersion", jobs: ["shop-*"], isJson: true }],
  ];
  const { arrived } = await sent(REQUEST_CODEC, frames);
  assert.deepEqual(arrived, frames);
});

test("every method arrives as itself", async () => {
  const unary = JobService.methods.filter(({ methodKind }) => methodKind === "unary");
  const frames = unary.map(({ localName }, id): readonly [Request] => [
    { type: "call", id, method: localName as UnaryName, jobs: null },
  ]);
  assert.ok(frames.length > 20);
  const { batches, arrived } = await sent(REQUEST_CODEC, frames);
  assert.deepEqual(arrived, frames);
  const areBare = batches.every((batch) => batch instanceof ArrayBuffer);
  assert.ok(areBare, "frequent frames travel without objects");
});

test("answers of one turn arrive in order with their payloads", async () => {
  const plain = { code: "not_found", message: "No", hint: undefined, path: undefined } as const;
  const error = { ...plain, options: ["id"] };
  const frames: readonly (readonly [Answer, string?])[] = [
    [{ type: "message", id: 7 }, "seven"],
    [{ type: "fail", id: 8, error }],
    [{ type: "message", id: 9 }],
    [{ type: "end", id: 10 }],
    [{ type: "changes", changes: null }],
    [{ type: "fact", id: 11, value: ["a"] }],
    [{ type: "message", id: 12 }, "twelve"],
  ];
  assert.deepEqual((await sent(ANSWER_CODEC, frames)).arrived, frames);
});

test("the other thread need not wait for the end of a turn with many frames", async () => {
  const posted: Batch<Request>[] = [];
  const sender = new BatchSender<Request>(REQUEST_CODEC, systemClock, (batch) => {
    posted.push(batch);
  });
  const endTurn = () => new Promise<void>((resolve) => systemClock.defer(resolve));
  for (let id = 1; id <= 100; id++) sender.send({ type: "next", id });
  const atOnce = posted.length;
  await endTurn();
  for (let id = 101; id <= 110; id++) sender.send({ type: "next", id });
  await endTurn();
  assert.deepEqual([atOnce, posted.length], [4, 7]);
  const ids: (number | undefined)[] = [];
  const lengths = posted.map((batch) => {
    const before = ids.length;
    readBatch(REQUEST_CODEC, batch, (frame) => ids.push("id" in frame ? frame.id : undefined));
    return ids.length - before;
  });
  assert.deepEqual(ids, Array.from({ length: 110 }, (_, index) => index + 1));
  assert.deepEqual(lengths, [8, 16, 32, 32, 12, 8, 2]);
});

test("a small payload keeps no large one of its turn in memory", async () => {
  const batches: Batch<Request>[] = [];
  const sender = new BatchSender<Request>(REQUEST_CODEC, systemClock, (batch) => {
    batches.push(batch);
  });
  const lengths = [10, 4_000_000, 10, 0, 65_526, 1, 30_000, 30_000, 30_000];
  for (const [id, length] of lengths.entries()) {
    sender.send({ type: "call", id, method: "waitInstance", jobs: null }, new Uint8Array(length));
  }
  await new Promise<void>((resolve) => systemClock.defer(resolve));
  const arrived: (readonly [id: number | undefined, length: number])[] = [];
  for (const batch of batches) {
    readBatch(REQUEST_CODEC, batch, (frame, payload) => {
      arrived.push(["id" in frame ? frame.id : undefined, payload.byteLength]);
      const kept = payload.byteLength > 0 ? payload.buffer.byteLength : 0;
      assert.ok(kept < payload.byteLength + 66_000, `${payload.byteLength} bytes keep ${kept}`);
    });
  }
  assert.deepEqual(arrived, [...lengths.entries()]);
  assert.equal(batches.length, 5);
});
