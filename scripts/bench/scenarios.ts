import type { Scenario } from "./scenario.ts";
import { BLOCKED } from "./scenarios/blocked.ts";
import { COMMANDS } from "./scenarios/commands.ts";
import { CLIENT } from "./scenarios/client.ts";
import { DAEMON } from "./scenarios/daemon.ts";
import { DAEMONS } from "./scenarios/daemons.ts";
import { DISK } from "./scenarios/disk.ts";
import { EXECUTION } from "./scenarios/execution.ts";
import { FLOWS } from "./scenarios/flows.ts";
import { GRPC } from "./scenarios/grpc.ts";
import { HELD_COST } from "./scenarios/held.ts";
import { HTTP } from "./scenarios/http.ts";
import { COMMANDS_LATE } from "./scenarios/late_commands.ts";
import { LATENESS } from "./scenarios/lateness.ts";
import { NOTICES_COST } from "./scenarios/notices.ts";
import { PICK_UP } from "./scenarios/pick_up.ts";
import { RECOVERY } from "./scenarios/recovery.ts";
import { SCHEDULES_COST } from "./scenarios/schedules.ts";
import { SIMULATION } from "./scenarios/simulation.ts";
import { TAB } from "./scenarios/tab.ts";
import { THROUGHPUT } from "./scenarios/throughput.ts";
import { WATCH } from "./scenarios/watch.ts";

/** Everything that can be measured, in the order of `--help`. */
export const SCENARIOS: readonly Scenario[] = [
  ...DISK,
  ...THROUGHPUT,
  ...PICK_UP,
  ...LATENESS,
  ...FLOWS,
  ...GRPC,
  ...HTTP,
  ...WATCH,
  CLIENT,
  TAB,
  ...DAEMON,
  ...DAEMONS,
  ...SCHEDULES_COST,
  ...HELD_COST,
  ...NOTICES_COST,
  ...RECOVERY,
  ...EXECUTION,
  ...COMMANDS,
  ...COMMANDS_LATE,
  ...BLOCKED,
  ...SIMULATION,
];
