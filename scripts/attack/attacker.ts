import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Attack, Running, Target } from "./attack.ts";

/** How an attack is run. */
export interface AttackOptions {
  readonly target: Target;
  readonly ms: number;
  /** See {@link Running.scale}. */
  readonly scale: number;
}

/** Counts of what an attack did, by name. */
export type Tally = Readonly<Record<string, number>>;

/** An attack in its own process. */
export interface Attacker {
  /** Resolves when it ends; rejects if it could not attack. */
  readonly done: Promise<Tally>;
  kill(): void;
}

/** How long a process may take to start and to end, in addition to its time. */
const SPARE_MS = 15_000;
const PROCESS = fileURLToPath(new URL("./attack_process.ts", import.meta.url));

/** Start an attack in its own process. */
export function startAttacker(attack: Attack, options: AttackOptions): Attacker {
  const child: ChildProcess = spawn(
    process.execPath,
    ["run", PROCESS, attack.name, JSON.stringify(options)],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const timer = setTimeout(kill, options.ms + SPARE_MS);
  let out = "";
  let problems = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => out += text);
  child.stderr!.setEncoding("utf8").on("data", (text: string) => problems += text);
  const done = new Promise<Tally>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      process.removeListener("exit", kill);
      if (code === 0) return resolve(JSON.parse(out) as Tally);
      reject(new Error(`The attack "${attack.name}" ended with ${signal ?? code}:\n${problems}`));
    });
  });
  return { done, kill };
}

/** Run an attack in this process until its time is over, and report what it did. */
export async function runAttack(attack: Attack, options: AttackOptions): Promise<Tally> {
  const tally: Record<string, number> = {};
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), options.ms);
  const running: Running = {
    target: options.target,
    scale: options.scale,
    signal: over.signal,
    count: (what, by = 1) => void (tally[what] = (tally[what] ?? 0) + by),
  };
  await attack.run(running);
  clearTimeout(timer);
  return tally;
}
