import * as grpc from "@grpc/grpc-js";
import { fileURLToPath } from "node:url";
import { type BareServer, CALLERS, measureBeside, startServer } from "../beside_bare.ts";
import type { Scenario } from "../scenario.ts";

const ECHO_SERVER = fileURLToPath(new URL("../echo_server.ts", import.meta.url));
/** As long as a request of ScheduleJob. */
const ECHO_BYTES = 24;

async function startEcho(): Promise<BareServer> {
  const { port, stop } = await startServer(ECHO_SERVER);
  const credentials = grpc.credentials.createInsecure();
  const client = new grpc.Client(`127.0.0.1:${port}`, credentials);
  const same = (bytes: Buffer) => bytes;
  const message = Buffer.alloc(ECHO_BYTES);
  return {
    call: () =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest("/bench.Echo/Echo", same, same, message, (error, answer) => {
          if (error) reject(error);
          else resolve(answer);
        });
      }),
    async stop() {
      client.close();
      await stop();
    },
  };
}

/** Durable ScheduleJob requests against a daemon, beside a server that does nothing. */
export const GRPC: readonly Scenario[] = [{
  name: "grpc",
  about: "ScheduleJob by gRPC, durable: 1, 16 and 100 callers, beside a bare grpc-js echo",
  usesStore: true,
  figures: CALLERS.flatMap((callers) => [
    { name: `schedule-${callers}`, unit: "calls/s", better: "higher" } as const,
    { name: `echo-${callers}`, unit: "calls/s", better: "higher" } as const,
    {
      ...{ name: `ratio-${callers}`, unit: "× echo", better: "higher" } as const,
      ...(callers === 16 ? { target: { sqlite: 0.7 } } : {}),
    },
  ]),
  run: (settings) =>
    measureBeside({
      name: "echo",
      scheduleBy: (daemon) => {
        const client = daemon.client();
        return () => client.scheduleJob({ kind: "noop" });
      },
      startBare: startEcho,
    }, settings),
}];
