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
lease = "4s"

[jobs.tick]
schedule = "* * * * * *"

[jobs.inline]
isolation = "inline"

[jobs.apart]
cwd = "jobs"
env = { WORD = 'a "b"' }

[jobs.flaky]
retry = { max = 3, initial = "100ms" }

[jobs.once]
retry = 2

[jobs.command]
run = "dir"

[jobs.other]
user = "bob"
`;

/** Its modules, by path. */
export const MODULES = {
  "jobs/add.ts": `import type { Context } from "ts-job";
export default function add(_context: Context, one: number, other: number): number {
  return one + other;
}
`,
  // Both report their process.
  "jobs/inline.ts": `export default function inline(): number {
  return process.pid;
}
`,
  "jobs/apart.ts": `export default function apart(): unknown[] {
  console.log("printed");
  return [process.pid, process.cwd(), process.env.WORD];
}
`,
  "jobs/other.ts": `export default function other(): void {}
`,
  // Under wine, Bun's writeFileSync() knows no relative paths.
  "jobs/spin.ts": `import { appendFileSync } from "node:fs";
export default function spin(): void {
  appendFileSync("spin.txt", "begun\\n");
  for (;;);
}
`,
  "jobs/exits.ts": `export default function exits(): void {
  process.exit(7);
}
`,
  "jobs/tick.ts": `import { appendFileSync } from "node:fs";
export default function tick(): void {
  appendFileSync("ticks.txt", "tick\\n");
}
`,
  "jobs/flaky.ts": `import { appendFileSync, statSync } from "node:fs";
import type { Context } from "ts-job";
export default function flaky({ log }: Context): void {
  appendFileSync("flaky.txt", "x");
  const run = statSync("flaky.txt").size;
  log.info(\`this is run \${run}\`);
  if (run < 3) throw new Error("not yet");
}
`,
  "jobs/slow.ts": `import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function slow({ signal }: Context, ms: number): Promise<void> {
  appendFileSync("slow.txt", "begun\\n");
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

/** A module that is added while the daemon runs. */
export const LATER_MODULE = `export default function later(): string {
  return "came later";
}
`;
