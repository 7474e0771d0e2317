import { create, toBinary } from "@bufbuild/protobuf";
import { connect as connectClient, type JobClient } from "../../../src/rpc/client/client.ts";
import { FollowRequestSchema, WaitInstanceRequestSchema } from "../../../src/rpc/gen/job_pb.ts";
import { framed, HTTP2_START, http2Frame } from "../../../test/support/raw_grpc.ts";
import type { Attack, Running, Target, WorldNeeds } from "../attack.ts";
import { flood, pause } from "../connections.ts";
import {
  callHeaders,
  FLAG,
  FRAME,
  type FrameShape,
  GREEDY_START,
  headersShape,
  hpackLiteral,
  hpackReference,
  messageShape,
  streams,
  uint32,
} from "../frames.ts";
import { RawClient } from "../raw_client.ts";
import { ANSWER_MS, FOLLOW, LOOKUP, RECORDS } from "../viewer_requests.ts";

const MESSAGE_BYTES = 4_000_000;
const NOTHING = Buffer.alloc(0);

/** The start of a connection that accepts no response bytes. */
const CLOSED_START = Buffer.concat([
  HTTP2_START.subarray(0, 24),
  http2Frame(FRAME.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(0)])),
]);

function grpc(target: Target) {
  return { port: target.port, host: "127.0.0.1" };
}

function readerOf(target: Target, timeoutMs = ANSWER_MS): JobClient {
  return connectClient({ ...grpc(target), socket: null, token: target.tokens.reader, timeoutMs });
}

function operatorOf(target: Target): JobClient {
  const token = target.tokens.operator;
  return connectClient({ ...grpc(target), socket: null, token, timeoutMs: 30_000 });
}

/** Whether another viewer can do something. */
async function another(
  target: Target,
  what: string,
  act: (client: JobClient) => Promise<unknown>,
): Promise<string | null> {
  const client = readerOf(target);
  try {
    await act(client);
    return null;
  } catch (error) {
    return `another viewer cannot ${what}: ${(error as Error).message}`;
  } finally {
    client.close();
  }
}

function calls(
  target: Target,
  method: string,
  message: Uint8Array,
  { start = GREEDY_START, count = Infinity }: { start?: Buffer; count?: number } = {},
): Generator<Buffer> {
  const { whole } = callHeaders(method, target.tokens.viewer);
  return (function* () {
    yield start;
    yield* streams([headersShape(whole), messageShape(framed(message))], { count, perChunk: 50 });
  })();
}

async function longJob(target: Target): Promise<string> {
  const client = readerOf(target);
  const { instances } = await client.lookupInstances({ query: { kinds: ["long"] } });
  client.close();
  return instances[0]!.uuid;
}

async function wait(running: Running, perConnection: number, connections: number) {
  const uuid = await longJob(running.target);
  const message = toBinary(
    WaitInstanceRequestSchema,
    create(WaitInstanceRequestSchema, { uuid }),
  );
  await flood(running, {
    ...{ connections, to: grpc(running.target) },
    script: () => calls(running.target, "WaitInstance", message, { count: perConnection }),
  });
}

/** Fails every second, and is retried. */
const FAILING: WorldNeeds = {
  toml: `
[jobs.fails]
command = ["/bin/bash", "-c", "sleep 0.5; exit 1"]
params = "text?: string"
retry = { max = 100, backoff = "fixed", initial = "500ms" }
`,
};

async function followLarge(running: Running, instanceCount = 1): Promise<void> {
  const client = operatorOf(running.target);
  const requests = Array.from({ length: instanceCount }, () => ({
    ...{ kind: "fails", arguments: ["x".repeat(300_000)] },
  }));
  const { instances } = await client.scheduleJobs({ requests });
  client.close();
  const messages = instances.map(({ uuid }) =>
    toBinary(FollowRequestSchema, create(FollowRequestSchema, { query: { uuid } }))
  );
  await flood(running, {
    ...{ connections: 5, to: grpc(running.target) },
    script: (place) =>
      calls(running.target, "Follow", messages[place % messages.length]!, { count: 100 }),
  });
}

/** Ends after two seconds. */
const ENDING: WorldNeeds = {
  toml: `
[jobs.ends]
command = ["/bin/bash", "-c", "sleep 2; exit 0"]
params = "text?: string"
`,
};

async function waitLarge(running: Running): Promise<void> {
  const client = operatorOf(running.target);
  const { signal } = running;
  while (!signal.aborted) {
    const request = { kind: "ends", arguments: ["x".repeat(300_000)] };
    const { instance } = await client.scheduleJob(request);
    const wait = create(WaitInstanceRequestSchema, { uuid: instance!.uuid, waitMs: 20_000n });
    const message = toBinary(WaitInstanceRequestSchema, wait);
    const round = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
    await flood({ ...running, signal: round }, {
      ...{ connections: 5, to: grpc(running.target) },
      script: () => calls(running.target, "WaitInstance", message, { count: 200 }),
    });
  }
  client.close();
}

function followsToo(target: Target): Promise<string | null> {
  return another(target, "follow", async (client) => {
    for await (const _ of client.follow({}, { signal: AbortSignal.timeout(ANSWER_MS) })) return;
    throw new Error("it ended");
  });
}

/** Attacks by a viewer with many connections, and similar ones by a stranger. */
export const VIEWERS: readonly Attack[] = [
  {
    ...{ name: "unix-slow-readers", family: "reads" },
    about: "look-ups over the Unix socket whose answers nobody reads",
    needs: { records: RECORDS },
    run: (running) =>
      flood(running, {
        ...{ connections: 60, to: { path: running.target.socket } as never, reads: false },
        script: () => calls(running.target, "LookupInstances", LOOKUP, { count: 250 }),
      }),
  },
  {
    ...{ name: "closed-window", family: "reads" },
    about: "look-ups of clients whose window is closed, over 100 connections",
    needs: { records: RECORDS },
    run: (running) =>
      flood(running, {
        ...{ connections: 100, to: grpc(running.target) },
        script: () =>
          calls(running.target, "LookupInstances", LOOKUP, { start: CLOSED_START, count: 250 }),
      }),
  },
  {
    ...{ name: "large-requests", family: "reads" },
    about: "requests that say they have 4 MiB and never end, 250 over each of 20 connections",
    run: (running) =>
      flood(running, {
        ...{ connections: 20, to: grpc(running.target) },
        *script() {
          const { whole } = callHeaders("LookupInstances", running.target.tokens.viewer);
          // As much as a stream may send before the server grants more.
          const body = framed(Buffer.alloc(60_000), { length: MESSAGE_BYTES });
          const pieces = Array.from({ length: 4 }, (_, place): FrameShape => ({
            ...{ type: FRAME.data, flags: 0 },
            payload: body.subarray(place * 15_000, (place + 1) * 15_000),
          }));
          yield HTTP2_START;
          yield* streams([headersShape(whole), ...pieces], { count: 250, perChunk: 1 });
        },
      }),
  },
  {
    ...{ name: "followers-unread", family: "reads" },
    about: "followers of long lines that read none",
    needs: {
      toml:
        `[jobs.talk]\ncommand = ["/bin/bash", "-c", 'printf -v line "%8000s" ""; for i in {1..2000}; do echo "\${line// /x}"; done']\n`,
    },
    async run(running) {
      const client = operatorOf(running.target);
      const { instance } = await client.scheduleJob({ kind: "talk" });
      await client.waitInstance({ uuid: instance!.uuid });
      client.close();
      await flood(running, {
        ...{ connections: 10, to: grpc(running.target) },
        script: () => calls(running.target, "Follow", FOLLOW, { start: CLOSED_START, count: 100 }),
      });
    },
  },
  {
    ...{ name: "followers-large", family: "reads" },
    about: "500 followers of one instance with 300 kB that changes every second",
    needs: FAILING,
    run: (running) => followLarge(running),
    probe: followsToo,
  },
  {
    ...{ name: "followers-large-memory", family: "reads" },
    about: "the same when the manager has everything in memory",
    needs: { ...FAILING, isInMemory: true },
    run: (running) => followLarge(running),
    probe: followsToo,
  },
  {
    ...{ name: "followers-large-several", family: "reads" },
    about: "the same with five instances, each with 100 followers",
    needs: FAILING,
    run: (running) => followLarge(running, 5),
    probe: followsToo,
  },
  {
    ...{ name: "waits-large", family: "reads" },
    about: "1,000 waits for one instance with 300 kB that ends, again and again",
    needs: ENDING,
    run: waitLarge,
  },
  {
    ...{ name: "waits-large-memory", family: "reads" },
    about: "the same when the manager has everything in memory",
    needs: { ...ENDING, isInMemory: true },
    run: waitLarge,
  },
  {
    ...{ name: "cheap-calls", family: "reads" },
    about: "calls that the manager answers at once, 80 at a time over each of 60 connections",
    async run(running) {
      const { signal, count, target } = running;
      const methods = ["GetVersion", "ListNodes", "ListPauses", "GetWorkers"];
      const client = async (_: unknown, place: number) => {
        while (!signal.aborted) {
          const raw = new RawClient(running, {
            method: methods[place % methods.length]!,
            ...{ token: target.tokens.viewer, message: NOTHING },
            onEnd(isOk) {
              count(isOk ? "answers" : "refusals");
              raw.call();
            },
          });
          for (let begun = 0; begun < 80; begun += 1) raw.call();
          await raw.closed;
          await pause(20, signal);
        }
      };
      await Promise.all(Array.from({ length: 60 }, client));
    },
  },
  {
    ...{ name: "open-calls", family: "reads" },
    about: "calls that do not end, each with 60 headers of 4 kB by reference, 100 connections",
    run: (running) =>
      flood(running, {
        ...{ connections: 100, to: grpc(running.target) },
        *script() {
          const { whole } = callHeaders("LookupInstances", running.target.tokens.viewer);
          const large = hpackLiteral("x", "v".repeat(3_900), true);
          yield Buffer.concat([
            HTTP2_START,
            http2Frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.concat([whole, large])),
          ]);
          const block = Buffer.concat([whole, ...Array(50).fill(hpackReference(0))]);
          yield* streams([headersShape(block)], { from: 3, count: 250, perChunk: 50 });
          running.count("streams", 250);
        },
      }),
  },
  {
    ...{ name: "waits", family: "reads" },
    about: "one viewer waits 250 times over each of 10 connections; another one must be able to",
    run: (running) => wait(running, 250, 10),
    async probe(target) {
      const uuid = await longJob(target);
      return another(
        target,
        "wait",
        (client) => client.waitInstance({ uuid, waitMs: 500n }),
      );
    },
  },
  {
    ...{ name: "waits-canceled", family: "reads" },
    about: "waits that are canceled at once, over 20 connections",
    async run(running) {
      const uuid = await longJob(running.target);
      const message = toBinary(
        WaitInstanceRequestSchema,
        create(WaitInstanceRequestSchema, { uuid, waitMs: 60_000n }),
      );
      const { whole } = callHeaders("WaitInstance", running.target.tokens.viewer);
      await flood(running, {
        ...{ connections: 20, to: grpc(running.target) },
        *script() {
          yield HTTP2_START;
          yield* streams([
            headersShape(whole),
            messageShape(framed(message)),
            { type: FRAME.reset, flags: 0, payload: uint32(8) },
          ]);
        },
      });
    },
  },
  {
    ...{ name: "many-followers", family: "reads" },
    about: "one viewer follows 100 times over each of 12 connections; another one must be able to",
    run: (running) =>
      flood(running, {
        ...{ connections: 12, to: grpc(running.target) },
        script: () => calls(running.target, "Follow", FOLLOW, { count: 100 }),
      }),
    probe: followsToo,
  },
  {
    ...{ name: "many-connections", family: "reads" },
    about: "1,100 connections of one viewer that wait; another one must get in, if not at once",
    run: (running) => wait(running, 1, 1_100),
    async probe(target) {
      const call = () => another(target, "call", (client) => client.getVersion());
      // Of 6,000 new connections a second, each has some 20 ms for its first call.
      return await call() && await call();
    },
  },
  {
    ...{ name: "unfair-reads", family: "reads" },
    about:
      "pages of large records over 200 connections of one viewer; another one must be answered",
    needs: { records: RECORDS },
    async run(running) {
      const { signal, count, target } = running;
      const client = async () => {
        while (!signal.aborted) {
          const raw = new RawClient(running, {
            method: "LookupInstances",
            ...{ token: target.tokens.viewer, message: LOOKUP },
            onEnd(isOk) {
              count(isOk ? "answers" : "refusals");
              raw.call();
            },
          });
          raw.call();
          await raw.closed;
          await pause(20, signal);
        }
      };
      await Promise.all(Array.from({ length: 200 }, client));
    },
    probe: (target) =>
      another(target, "look up", (client) => client.lookupInstances({ query: { pageSize: 1 } })),
  },
  {
    ...{ name: "tiny-messages", family: "strangers" },
    about: "health checks with thousands of empty messages, over 120 connections",
    run: (running) =>
      flood(running, {
        ...{ connections: 120, to: grpc(running.target) },
        *script() {
          yield HTTP2_START;
          const path = hpackLiteral(":path", "/grpc.health.v1.Health/Check");
          const block = Buffer.concat([
            Buffer.from([0x83, 0x86]),
            path,
            hpackLiteral(":authority", "localhost"),
            hpackLiteral("content-type", "application/grpc"),
            hpackLiteral("te", "trailers"),
          ]);
          yield* streams([
            headersShape(block),
            { type: FRAME.data, flags: 0, payload: Buffer.alloc(16_380) },
          ], { count: 7, perChunk: 7 });
        },
      }),
  },
  {
    ...{ name: "http-hold", family: "http" },
    about: "300 connections that say nothing; a probe of health must be answered",
    run: (running) =>
      flood(running, {
        ...{ connections: 300, to: { port: running.target.httpPort, host: "127.0.0.1" } },
        script: () => [],
      }),
    async probe(target) {
      try {
        const url = `http://127.0.0.1:${target.httpPort}/healthz`;
        const { status } = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
        return status === 200 ? null : `answered ${status}`;
      } catch (error) {
        return `/healthz is not answered: ${(error as Error).message}`;
      }
    },
  },
];
