// The project that npm run windows runs.

/** Its configuration. */
export const CONFIG = (port, http) =>
  `modules = ["jobs"]

[store]
url = "sqlite:data/jobctl.db"

[server]
port = ${port}
http = "127.0.0.1:${http}"

[worker]
isolation = "inline"

[jobs.tick]
schedule = "* * * * * *"

[jobs.flaky]
retry = { max = 3, initial = "100ms" }

[jobs.once]
retry = 2

[jobs.apart]
isolation = "process"

[jobs.command]
run = "dir"
`;

/** Its modules, by path. */
export const MODULES = {
  "jobs/add.ts": `import type { Context } from "ts-job";
export default function add(_context: Context, one: number, other: number): number {
  return one + other;
}
`,
  "jobs/apart.ts": `export default function apart(): void {}
`,
  "jobs/tick.ts": `import { appendFileSync } from "node:fs";
export default function tick(): void {
  appendFileSync("ticks.txt", "tick\\n");
}
`,
  "jobs/flaky.ts": `import type { Context } from "ts-job";
let runs = 0;
export default function flaky({ log }: Context): void {
  runs += 1;
  log.info(\`this is run \${runs}\`);
  if (runs < 3) throw new Error("not yet");
}
`,
  "jobs/slow.ts": `import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function slow({ signal }: Context, ms: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
  appendFileSync("slow.txt", "slept\\n");
}
`,
  // Only its first attempt hangs.
  "jobs/once.ts": `import { appendFileSync, readFileSync } from "node:fs";
export default async function once(): Promise<void> {
  appendFileSync("once.txt", "begun\\n");
  if (readFileSync("once.txt", "utf8") === "begun\\n") await new Promise(() => {});
}
`,
};

/** One that is added while the daemon runs. */
export const LATER_MODULE = `export default function later(): string {
  return "came later";
}
`;
