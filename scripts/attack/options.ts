import { parseArgs } from "node:util";
import { JobError } from "../../src/core/errors.ts";
import { nearest } from "../../src/core/text/nearest.ts";
import type { Attack } from "./attack.ts";

/** The parsed command line. */
export interface AttackRequest {
  readonly attacks: readonly Attack[];
  readonly seconds: number;
  readonly isHelp: boolean;
}

/** The run without an attack. */
export const QUIET = "quiet";

const SECONDS_MAX = 3_600;

/**
 * Read the arguments of `npm run attack`. A name selects one attack, a family of them, or those
 * that begin with it and a dash; without names, all run.
 *
 * @throws JobError `invalid_argument` for an unknown option or attack, or an invalid number
 */
export function parseAttackArgs(args: readonly string[], known: readonly Attack[]): AttackRequest {
  const { values, positionals } = parse(args);
  const names = positionals.filter((name) => name !== QUIET);
  const wanted = new Set(names.flatMap((name) => find(name, known)));
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > SECONDS_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot use --seconds ${values.seconds}: it is not a whole number from 1 to ${SECONDS_MAX}`,
    );
  }
  return {
    attacks: positionals.length === 0 ? known : known.filter((attack) => wanted.has(attack)),
    seconds,
    isHelp: values.help,
  };
}

function parse(args: readonly string[]) {
  const options = {
    seconds: { type: "string", default: "20" },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new JobError("invalid_argument", `Cannot run attacks: ${(error as Error).message}`, {
      hint: "See npm run attack -- --help",
    });
  }
}

function find(name: string, known: readonly Attack[]): readonly Attack[] {
  const exact = known.filter((attack) => attack.name === name);
  if (exact.length > 0) return exact;
  const found = known.filter((attack) =>
    attack.family === name || attack.name.startsWith(`${name}-`)
  );
  if (found.length > 0) return found;
  const near = nearest(name, known.flatMap((attack) => [attack.name, attack.family]));
  throw new JobError("invalid_argument", `Cannot run attack "${name}": there is none`, {
    hint: near === null ? "See npm run attack -- --help" : `Did you mean "${near}"?`,
  });
}

/** The text of `--help`. */
export function helpText(known: readonly Attack[]): string {
  const width = Math.max(...known.map(({ name }) => name.length));
  const families = [...new Set(known.map(({ family }) => family))].map((family) => {
    const lines = known.filter((attack) => attack.family === family)
      .map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
    return `${family}\n${lines.join("\n")}`;
  });
  return `Usage: npm run attack -- [NAME…] [--seconds N]

Attacks the compiled file on loopback, with a new daemon for each attack, and reports whether it kept
its promise: a job that runs every second loses no tick and starts at most 250 ms late (p99), the
daemon stays under 350 MB of its own and is under 90 MB within 30 s, and no running job is killed.
Exits with 1 if the promise was broken. NAME is an attack, a family, or the start of a name: "reads", "http".

${families.join("\n")}

Options:
  --seconds N  how long each attack lasts (20)
`;
}
