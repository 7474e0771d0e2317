import { create, toBinary } from "@bufbuild/protobuf";
import { connect as connectClient } from "../../../src/rpc/client/client.ts";
import { ExplainRequestSchema } from "../../../src/rpc/gen/job_pb.ts";
import { framed, HTTP2_START } from "../../../test/support/raw_grpc.ts";
import type { Attack, Running, Target } from "../attack.ts";
import { flood, pause } from "../connections.ts";
import {
  callHeaders,
  FRAME,
  GREEDY_START,
  headersShape,
  messageShape,
  streams,
} from "../frames.ts";
import { RawClient } from "../raw_client.ts";
import { ANSWER_MS, FOLLOW, LOOKUP, RECORDS } from "../viewer_requests.ts";

const SCHEDULES = 10_000;
const DAY_MS = 86_400_000;

function grpc(target: Target) {
  return { port: target.port, host: "127.0.0.1" };
}

/** `count` look-ups of a viewer, after the start of the connection. */
function* lookups(target: Target, start: Buffer, count: number): Generator<Buffer> {
  yield start;
  const { whole } = callHeaders("LookupInstances", target.tokens.viewer);
  yield* streams([headersShape(whole), messageShape(framed(LOOKUP))], { count, perChunk: 50 });
}

/** Clients that each keep `atOnce` calls in flight; a closed client reconnects. */
async function pull(
  running: Running,
  options: {
    readonly clients: number;
    readonly atOnce: number;
    readonly method: string;
    readonly message: () => Uint8Array;
  },
): Promise<void> {
  const { target, signal, count, scale } = running;
  const { method, atOnce } = options;
  const client = async () => {
    while (!signal.aborted) {
      const raw = new RawClient(running, {
        ...{ method, token: target.tokens.viewer, message: options.message() },
        onEnd(isOk) {
          count(isOk ? "answers" : "refusals");
          raw.call();
        },
      });
      for (let begun = 0; begun < atOnce; begun += 1) raw.call();
      await raw.closed;
      await pause(20, signal);
    }
  };
  await Promise.all(
    Array.from({ length: Math.max(1, Math.round(options.clients * scale)) }, client),
  );
}

/** Look-ups that are reset right after their request. */
function cancelLookups(running: Running): Promise<void> {
  const { target } = running;
  const { whole } = callHeaders("LookupInstances", target.tokens.viewer);
  return flood(running, {
    ...{ connections: 20, to: grpc(target) },
    *script() {
      yield HTTP2_START;
      yield* streams([
        headersShape(whole),
        messageShape(framed(LOOKUP)),
        { type: FRAME.reset, flags: 0, payload: Buffer.from([0, 0, 0, 8]) },
      ]);
    },
  });
}

/** Ticks of all schedules within a day. */
function explainDay(): Uint8Array {
  const seconds = BigInt(Math.floor(Date.now() / 1_000) - 3_600);
  const request = { at: { seconds }, spanMs: BigInt(DAY_MS) };
  return toBinary(ExplainRequestSchema, create(ExplainRequestSchema, request));
}

function explainLast(): Uint8Array {
  const request = { kind: "idle", limit: 1_000 };
  return toBinary(ExplainRequestSchema, create(ExplainRequestSchema, request));
}

/** 1,000 followers of one viewer, reopened when they end. */
async function followers(running: Running): Promise<void> {
  const { target, count } = running;
  const { whole } = callHeaders("Follow", target.tokens.viewer);
  await flood(running, {
    ...{ connections: 5, to: grpc(target) },
    *script() {
      yield GREEDY_START;
      yield* streams([headersShape(whole), messageShape(framed(FOLLOW))], { count: 200 });
      count("followers", 200);
    },
  });
}

/** Whether another viewer can follow. */
async function followsToo(target: Target): Promise<string | null> {
  const client = connectClient({ ...grpc(target), socket: null, token: target.tokens.reader });
  const over = AbortSignal.timeout(ANSWER_MS);
  try {
    for await (const _ of client.follow({}, { signal: over })) return null;
    return "another viewer's follow ended at once";
  } catch (error) {
    return `another viewer cannot follow: ${(error as Error).message}`;
  } finally {
    client.close();
  }
}

/** Attacks with a viewer's token. */
export const READS: readonly Attack[] = [
  {
    ...{ name: "lookups-gone", family: "reads" },
    about: "12,000 look-ups of clients that do not wait for the answer",
    needs: { records: RECORDS },
    async run(running) {
      const { target, count } = running;
      await flood(running, {
        ...{ connections: 60, total: 60, to: grpc(target), after: "reset", lingerMs: 100 },
        *script() {
          yield* lookups(target, HTTP2_START, 200);
          count("look-ups", 200);
        },
      });
    },
  },
  {
    ...{ name: "lookups-cancel", family: "reads" },
    about: "look-ups that are canceled at once, over 20 connections",
    needs: { records: RECORDS },
    run: cancelLookups,
  },
  {
    ...{ name: "lookups-cancel-memory", family: "reads" },
    about: "the same on a store in memory, which the thread of the schedules reads",
    needs: { records: { small: 1_000, large: 1_000 }, isInMemory: true },
    run: cancelLookups,
  },
  {
    ...{ name: "explain", family: "reads" },
    about: "8 explanations at once of a day of all, with 10,000 schedules",
    needs: { schedules: SCHEDULES },
    run: (running) =>
      pull(running, { clients: 8, atOnce: 1, method: "Explain", message: explainDay }),
  },
  {
    ...{ name: "explain-last", family: "reads" },
    about: "8 explanations at once of the last 1,000 ticks of each schedule of a job",
    needs: { schedules: SCHEDULES },
    run: (running) =>
      pull(running, { clients: 8, atOnce: 1, method: "Explain", message: explainLast }),
  },
  {
    ...{ name: "pages", family: "reads" },
    about: "full pages of large records without pause, over 8 connections",
    needs: { records: RECORDS },
    run: (running) =>
      pull(running, { clients: 8, atOnce: 4, method: "LookupInstances", message: () => LOOKUP }),
  },
  {
    ...{ name: "followers", family: "reads" },
    about: "1,000 followers of one viewer; another one must get in",
    run: followers,
    probe: followsToo,
  },
  {
    ...{ name: "slow-readers", family: "reads" },
    about: "100 connections that ask for 250 full pages each and read none",
    needs: { records: RECORDS },
    run(running) {
      const { target } = running;
      return flood(running, {
        ...{ connections: 100, to: grpc(target), reads: false },
        script: () => lookups(target, GREEDY_START, 250),
      });
    },
  },
  {
    ...{ name: "compressed", family: "reads" },
    about: "messages with the flag of a compression that was not named",
    run(running) {
      const { target } = running;
      const { whole } = callHeaders("GetVersion", target.tokens.viewer);
      const message = framed(Buffer.alloc(100), { compressed: true });
      return flood(running, {
        ...{ connections: 20, to: grpc(target) },
        *script() {
          yield HTTP2_START;
          yield* streams([headersShape(whole), messageShape(message)]);
        },
      });
    },
  },
  {
    ...{ name: "huge-length", family: "reads" },
    about: "messages that say they have 4 GiB, over 50 connections",
    run(running) {
      const { target } = running;
      const { whole } = callHeaders("GetVersion", target.tokens.viewer);
      const message = framed(Buffer.alloc(8_000), { length: 0xffffffff });
      return flood(running, {
        ...{ connections: 50, to: grpc(target) },
        *script() {
          yield HTTP2_START;
          yield* streams([
            headersShape(whole),
            { type: FRAME.data, flags: 0, payload: message },
          ], { perChunk: 2 });
        },
      });
    },
  },
];
