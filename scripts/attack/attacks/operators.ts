import { connect, type JobClient } from "../../../src/rpc/client/client.ts";
import type { Attack, Running, Target } from "../attack.ts";

const CALL_MS = 15_000;
const LARGE = "x".repeat(1_000_000);
const COUNT = 300;

function client(target: Target): JobClient {
  const { port, tokens } = target;
  return connect({
    ...{ host: "127.0.0.1", port, socket: null, token: tokens.operator, timeoutMs: CALL_MS },
  });
}

type Schedule = NonNullable<Parameters<JobClient["scheduleJob"]>[0]>;

/** Instances with arguments of 1 MB, due much later. */
async function scheduleLarge(
  calls: JobClient,
  requestOf: (index: number) => Schedule,
): Promise<void> {
  for (let index = 0; index < COUNT; index += 3) {
    const requests = [index, index + 1, index + 2].map(requestOf);
    await calls.scheduleJobs({ requests });
  }
}

function attack(
  name: string,
  about: string,
  act: (calls: JobClient, running: Running) => Promise<void>,
  needs: Attack["needs"] = {},
): Attack {
  return {
    ...{ name: `operator-${name}`, about, family: "operators", needs },
    async run(running) {
      const calls = client(running.target);
      try {
        await act(calls, running);
      } finally {
        calls.close();
      }
    },
  };
}

const LATER = { kind: "idle", arguments: [LARGE], afterMs: 1_000_000_000n };

export const OPERATORS: readonly Attack[] = [
  attack(
    "cancels",
    "cancels 300 instances with arguments of 1 MB at once",
    async (calls, { signal, count }) => {
      while (!signal.aborted) {
        await scheduleLarge(calls, () => LATER);
        await calls.cancelInstances({ query: { kind: "idle" } }).catch(() => {});
        count("cancels");
      }
    },
  ),
  attack(
    "keys",
    "asks for 300 instances of 1 MB by their unique keys",
    async (calls, { signal, count }) => {
      await scheduleLarge(calls, (index) => ({ ...LATER, uniqueKey: `key-${index}` }));
      const requests = Array.from({ length: COUNT }, (_, index) => {
        return { kind: "idle", afterMs: 1n, uniqueKey: `key-${index}`, onConflict: "keep" };
      });
      while (!signal.aborted) {
        await Promise.all(
          Array.from({ length: 8 }, () => calls.scheduleJobs({ requests }).catch(() => {})),
        );
        count("calls", 8);
      }
    },
  ),
  attack(
    "redrives",
    "runs 300 failed instances with arguments of 1 MB again, which wait behind the schedule",
    async (calls, { signal, count }) => {
      await scheduleLarge(calls, () => ({ ...LATER, kind: "fails", afterMs: 0n }));
      while (!signal.aborted) {
        await calls.redriveInstances({ query: { kind: "fails" } }).catch((e) =>
          count(String(e.message).slice(0, 90))
        );
        count("calls");
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    },
    {
      toml:
        `[jobs.fails]\ncommand = ["/bin/false"]\nparams = "text?: string"\nretry = 0\npriority = 9\nstdin = { arg = "text" }\n`,
    },
  ),
  attack(
    "batches",
    "batches of 1,000 instances without pause",
    async (calls, { signal, count }) => {
      const requests = Array(1_000).fill({ ...LATER, arguments: ["x"] });
      while (!signal.aborted) {
        await Promise.all(
          Array.from({ length: 16 }, () => calls.scheduleJobs({ requests }).catch(() => {})),
        );
        count("batches", 16);
      }
    },
  ),
];
