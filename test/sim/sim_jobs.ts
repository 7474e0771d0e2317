import type { JobOptions } from "../../src/core/job/gen/job_options.ts";
import type { JobDefinition, JobSchedule } from "../../src/core/job/job.ts";
import { NO_HANDLERS } from "../../src/core/job/job.ts";
import type { Signature } from "../../src/core/arguments/signature.ts";
import type { SimJob } from "./sim_executor.ts";
import { SIM_OPTIONS } from "./sim_node.ts";

/** The job code of each kind. */
export const JOBS: Readonly<Record<string, SimJob>> = {
  quick: { durationMaxMs: 50, failureShare: 0, crashShare: 0 },
  flaky: { durationMaxMs: 400, failureShare: 0.3, crashShare: 0.1, snoozeShare: 0.1 },
  long: { durationMaxMs: 9_000, failureShare: 0.05, crashShare: 0.05 },
  tick: { durationMaxMs: 12_000, failureShare: 0.1, crashShare: 0.05 },
  beat: { durationMaxMs: 600, failureShare: 0, crashShare: 0 },
  line: { durationMaxMs: 12_000, failureShare: 0.1, crashShare: 0.05 },
  swap: { durationMaxMs: 16_000, failureShare: 0.1, crashShare: 0.05 },
  catch: { durationMaxMs: 300, failureShare: 0, crashShare: 0 },
  lane: { durationMaxMs: 2_000, failureShare: 0.1, crashShare: 0.05 },
  paced: { durationMaxMs: 300, failureShare: 0.1, crashShare: 0 },
};

const ACCOUNT = { by: ["account"] };
const OPTIONS: Readonly<Record<string, Partial<JobOptions>>> = {
  lane: {
    concurrency: [{ max: 1, ...ACCOUNT, per: "cluster" }, { max: 2, by: [], per: "cluster" }],
  },
  line: { deadlineMs: 25_000 },
  long: { deadlineMs: 25_000 },
  paced: { rate: [{ max: 2, perMs: 3_000, ...ACCOUNT }, { max: 9, perMs: 5_000, by: [] }] },
};

/** The jobs of a simulated config. */
export function definitions(): readonly JobDefinition[] {
  return Object.keys(JOBS).map((kind) => ({
    kind,
    description: "",
    source: { type: "function", run: () => {}, handlers: {} },
    signature: signatureOf(kind),
    options: { ...SIM_OPTIONS, ...OPTIONS[kind] },
    schedules: schedulesOf(kind),
    hasHandler: NO_HANDLERS,
    registeredAt: 0,
  }));
}

function signatureOf(kind: string): Signature {
  const plain = { resultCount: 0, isTyped: false, warnings: [] };
  if (kind !== "lane" && kind !== "paced") return { ...plain, parameters: [] };
  const account = { role: "argument", name: "account", shape: { type: "string" } } as const;
  return { ...plain, parameters: [{ ...account, isOptional: false, isRest: false }] };
}

function schedulesOf(kind: string): readonly JobSchedule[] {
  const common = {
    timezone: "UTC",
    misfireWithinMs: 86_400_000,
    jitterMs: 0,
    misfire: "latest",
  } as const;
  if (kind === "tick") {
    const spec = { ...common, cron: "*/10 * * * * *", everyMs: null, overlap: "skip" } as const;
    return [{ spec, arguments: [] }];
  }
  if (kind === "beat") {
    const spec = { ...common, cron: null, everyMs: 7_000, overlap: "allow" } as const;
    return [{ spec, arguments: [] }];
  }
  if (kind === "line" || kind === "swap") {
    const overlap = kind === "line" ? "queue" : "replace";
    const spec = {
      ...common,
      cron: "*/10 * * * * *",
      everyMs: null,
      overlap,
      queueMax: 3,
    } as const;
    return [{ spec, arguments: [] }];
  }
  if (kind === "catch") {
    const every = { cron: null, everyMs: 5_000, overlap: "allow", misfire: "all" } as const;
    return [{ spec: { ...common, ...every }, arguments: [] }];
  }
  return [];
}
