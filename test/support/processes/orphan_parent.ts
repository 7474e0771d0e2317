// Begins processes that lose their parents and end, and one of its own; prints how many dead
// children it has, then how many are left when they were cleared away, and the exit code of its
// own.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { adoptOrphans, OrphanReaper } from "../../../src/platform/process/process_control.ts";
import { until } from "../wait.ts";

function deadChildren(): number {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(
        " ",
      );
      return state === "Z" && Number(parent) === process.pid;
    } catch {
      return false;
    }
  }).length;
}

adoptOrphans();
const script = "(sh -c 'exit 3' &) ; (setsid sh -c 'exit 4' &) ; exec sh -c 'exit 5'";
const child = spawn("/bin/sh", ["-c", script], { stdio: "ignore" });
const code = await new Promise((resolve) => child.once("exit", resolve));
await until("both are dead", () => deadChildren() === 2);
const before = deadChildren();
new OrphanReaper(() => false, 20).start();
await until("they are cleared away", () => deadChildren() === 0);
console.log(JSON.stringify({ before, after: deadChildren(), code }));
