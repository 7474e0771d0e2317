import type { ErrorInfo } from "../../core/instance.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import type { SharedMemory } from "../../platform/process/shared_memory.ts";
import type { KeptOutputs } from "../output/kept_outputs.ts";
import type { TransferBudget } from "../output/transfer_budget.ts";
import type { WorkerLaunch } from "./worker_launch.ts";
import type { WorkerProcess } from "./worker_process.ts";
import type { WorkerRun } from "./worker_run.ts";

/** What a worker process is started with, and whom it tells. */
export interface WorkerProcessOptions {
  readonly clock: Clock;
  readonly id: string;
  readonly launch: WorkerLaunch;
  /** Value of the variable by which its processes are known. */
  readonly familyMarker: string;
  /** Unguessable, so that output cannot pass for a marker. */
  readonly token: string;
  readonly mask: SecretMask;
  /** For output, and for answers to the calls of jobs; shared by all workers. */
  readonly budgets: Readonly<Record<"output" | "answers", TransferBudget>>;
  /** Where output goes that outlives its worker. */
  readonly keptOutputs: KeptOutputs;
  /** For batches; null where the platform has none. The worker's alone. */
  readonly memory: SharedMemory | null;
  /** The worker can take a run. */
  readonly onIdle: (worker: WorkerProcess) => void;
  /** The process is gone. */
  readonly onGone: (worker: WorkerProcess) => void;
  /** An error of what an ended run left behind; the worker takes no more runs. */
  readonly onLate: (worker: WorkerProcess, run: WorkerRun | null, error: ErrorInfo) => void;
}
