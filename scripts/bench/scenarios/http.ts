import { fileURLToPath } from "node:url";
import { type BareServer, CALLERS, measureBeside, startServer } from "../beside_bare.ts";
import type { Call } from "../in_turns.ts";
import { keepAliveCall } from "../keep_alive_client.ts";
import type { Scenario } from "../scenario.ts";

const JSON_SERVER = fileURLToPath(new URL("../json_server.ts", import.meta.url));

/** A request to run a job, over connections that stay open. */
function post(port: number): Call {
  const request = { path: "/api/v1/jobs/noop/runs", body: '{"arguments":[]}', status: 201 };
  return keepAliveCall({ port, ...request });
}

async function startBare(): Promise<BareServer> {
  const { port, stop } = await startServer(JSON_SERVER);
  return { call: post(port), stop };
}

/** Durable requests to run a job against a daemon, beside a server that does nothing. */
export const HTTP: readonly Scenario[] = [{
  name: "http",
  about: "runs by HTTP, durable: 1, 16 and 100 callers, beside a bare node:http server",
  usesStore: true,
  figures: CALLERS.flatMap((callers) => [
    { name: `schedule-${callers}`, unit: "calls/s", better: "higher" } as const,
    { name: `bare-${callers}`, unit: "calls/s", better: "higher" } as const,
    {
      ...{ name: `ratio-${callers}`, unit: "× bare", better: "higher" } as const,
      ...(callers === 100 ? { target: { sqlite: 0.7 } } : {}),
    },
  ]),
  run: (settings) =>
    measureBeside(
      { name: "bare", scheduleBy: ({ httpPort }) => post(httpPort), startBare },
      settings,
    ),
}];
