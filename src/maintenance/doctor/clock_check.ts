import { existsSync } from "node:fs";
import { formatDuration } from "../../core/time/duration.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import { kernelClock } from "../../platform/kernel_clock.ts";
import { readSystemFile } from "../../platform/files/read_file.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** The clock of this machine. */
export type ClockFacts = Awaited<ReturnType<typeof readClock>>;

/** Time for which both clocks are watched. */
const WATCH_MS = 250;
/** A smaller difference is the time between two readings on a loaded machine. */
const JUMP_MS = 50;
/** An error of a synchronized clock that schedules would show. */
const ERROR_MS = 1_000;
/** Counters that take much longer to read, or are imprecise. */
const SLOW_COUNTERS = ["jiffies", "refined-jiffies", "acpi_pm", "pit"];
const SERVICES: readonly (readonly [name: string, file: string])[] = [
  ["systemd-timesyncd", "/run/systemd/timesync"],
  ["chrony", "/run/chrony"],
  ["chrony", "/run/chronyd.pid"],
  ["ntpd", "/run/ntpd.pid"],
  ["openntpd", "/run/openntpd.pid"],
];
const RECORD = "/run/systemd/timesync/synchronized";

/** Read the state of the clock, and watch it for a moment. */
export async function readClock(clock: Clock) {
  const before = clock.now();
  await sleep(clock, WATCH_MS);
  const after = clock.now();
  const services = new Set(
    SERVICES.filter(([, file]) => existsSync(file)).map(([name]) => name),
  );
  const counter = readSystemFile(
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
  );
  return {
    /** Null if this runtime cannot ask the kernel. */
    kernel: kernelClock(),
    /** The time services that run, such as "chrony". */
    services: [...services],
    /** True if a service has recorded that it synchronized the clock; null if none records it. */
    isRecorded: services.has("systemd-timesyncd") ? existsSync(RECORD) : null,
    /** Counter behind the clock, such as "tsc"; null if unknown. */
    counter: counter?.trim() ?? null,
    /** Distance that the wall clock moved from the monotonic one meanwhile, in ms. */
    jumpMs: (after.wallMs - before.wallMs) - (after.monotonicMs - before.monotonicMs),
  };
}

/** Judge the clock of this machine. */
export function checkClock(facts: ClockFacts): Finding[] {
  const { kernel, services, isRecorded, counter, jumpMs } = facts;
  const { ok, note, warning, unchecked } = findingsOf("clock");
  const findings: Finding[] = [];
  const mend = remedyOf(services);
  if (Math.abs(jumpMs) >= JUMP_MS) {
    const text = `it was set ${jumpMs < 0 ? "back" : "forward"} by ${
      formatDuration(Math.abs(jumpMs))
    } while it was watched`;
    findings.push(warning(text, mend));
  }
  if (counter !== null && SLOW_COUNTERS.includes(counter)) {
    findings.push(
      note(
        `the kernel uses the slow clock source ${counter}`,
        "cat /sys/devices/system/clocksource/clocksource0/available_clocksource",
      ),
    );
  }
  const isSynchronized = kernel?.isSynchronized ?? isRecorded;
  const by = services.length === 0 ? "" : ` (${services.join(", ")})`;
  if (isSynchronized === null) {
    findings.push(
      unchecked(
        "this program cannot ask the kernel here",
        isWindows() ? "w32tm /query /status" : "timedatectl show -p NTPSynchronized",
      ),
    );
  } else if (!isSynchronized) {
    const found = services.length === 0
      ? "no time service was found"
      : `${services.join(", ")} runs`;
    findings.push(warning(`it is not synchronized: ${found}`, mend));
  } else if (kernel !== null && kernel.errorMs > ERROR_MS) {
    const text = `it may be wrong by ${formatDuration(kernel.errorMs)}`;
    findings.push(warning(text, mend));
  } else {
    const source = counter === null ? "" : `, source ${counter}`;
    findings.push(ok(`synchronized${by}${source}`));
  }
  return findings;
}

function remedyOf(services: readonly string[]): string {
  if (services.includes("chrony")) return "sudo chronyc makestep";
  if (services.includes("systemd-timesyncd")) return "sudo systemctl restart systemd-timesyncd";
  if (services.length > 0) return "ntpq -p";
  return "sudo apt-get install systemd-timesyncd, or in a container: on its host";
}
