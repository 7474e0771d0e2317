import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../../../test/support/processes/daemon.ts";
import { type Call, inTurns, secondsOf } from "../in_turns.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";

const CALLS = 8_000;
/** Calls to each before any is measured: until then their code is still being compiled. */
const WARM_CALLS = 30_000;
const CALLERS = [1, 16, 100];
const JSON_SERVER = fileURLToPath(new URL("../json_server.ts", import.meta.url));

async function measure(settings: Settings): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const daemon = await startDaemon({
    toml: 'worker = { count = 0 }\n[jobs.noop]\ncommand = ["true"]\n' +
      '[server]\nsocket = ""\nauth = { mode = "none" }\n',
    env: {
      ...scratch.env,
      JOBCTL_SERVER_SOCKET: undefined,
      JOBCTL_SERVER_AUTH_TOKEN_FILE: undefined,
    },
  });
  const bare = await startBare();
  try {
    const schedule = post(daemon.httpPort);
    for (const call of [schedule, bare.call]) {
      await secondsOf(call, 16, scaled(settings, WARM_CALLS, 50));
    }
    const figures: Record<string, number> = {};
    for (const callers of CALLERS) {
      const calls = scaled(settings, callers === 1 ? CALLS / 4 : CALLS, 200);
      const [scheduled, answered] = await inTurns([schedule, bare.call], callers, calls);
      figures[`schedule-${callers}`] = scheduled!;
      figures[`bare-${callers}`] = answered!;
      figures[`ratio-${callers}`] = scheduled! / answered!;
    }
    return figures;
  } finally {
    await bare.stop();
    await daemon.stop();
    await scratch.clean();
  }
}

/** A request to run a job, over connections that stay open. */
function post(port: number): Call {
  const url = `http://127.0.0.1:${port}/api/v1/jobs/noop/runs`;
  const request = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"arguments":[]}',
  };
  return async () => {
    const response = await fetch(url, request);
    if (response.status !== 201) throw new Error(await response.text());
    return await response.json();
  };
}

async function startBare(): Promise<{ readonly call: Call; stop(): Promise<void> }> {
  const server = spawn(process.execPath, [JSON_SERVER], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(server.stdout.setEncoding("utf8"), "data");
  return {
    call: post(Number(line)),
    async stop() {
      server.kill();
      await once(server, "exit");
    },
  };
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
  run: measure,
}];
