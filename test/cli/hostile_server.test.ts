import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { loadVerbs } from "../../src/cli/verbs.ts";
import { isGroup, type Verb, type VerbGroup } from "../../src/cli/verb/verb.ts";
import { JobError } from "../../src/core/errors.ts";
import { JobService } from "../../src/rpc/gen/job_pb.ts";
import { type Answers, cli, type CliRun, NOW } from "../support/worlds/cli_world.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

/** Texts that would control a terminal: a title, colors, a cursor, C1 codes, order, new lines. */
const HOSTILE_TEXTS = [
  "\x1b]0;title\x07",
  "\x1b[2J\x1b[35mX",
  "\x9b31m\x90q\x9c",
  "\u202egnp\u2066\u200f\u061c",
  "a\r\x1b[Kb\x08\x7f",
  "\x1bP$q\x1b\\ \x1b_x\x1b\\",
  "\u2028\u2029\x85\ufeff",
];
/** Nothing of these may reach a terminal; what a table or a moving line needs is left out. */
// deno-lint-ignore no-control-regex
const RAW = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
/** What clears a line that jobctl itself has written. */
// deno-lint-ignore no-control-regex
const CLEARED = /\r(?=[^\x1b]*\x1b\[K)|\x1b\[K|\r(?=\n)/g;

const DEPTH_MAX = 6;
const ID = "01938f2c-7d3e-7000-8000-000000000001";
/** Fields that lead on, or that nothing works without. */
const GIVEN: Readonly<Record<string, unknown>> = {
  next_page_token: undefined,
  page_token: undefined,
};

/** Messages of every form with a hostile text in every string. */
function hostileMessage(schema: DescMessage, text: string, depth = 0): object {
  const { typeName } = schema;
  if (typeName === "google.protobuf.Timestamp") {
    return create(schema, { seconds: BigInt(NOW / 1_000) } as never);
  }
  const init: Record<string, unknown> = {};
  for (const field of schema.fields) {
    if (field.name in GIVEN) continue;
    const value = hostileValue(field, text, depth);
    if (value === undefined) continue;
    if (field.oneof === undefined) init[field.localName] = value;
    else init[field.oneof.localName] = { case: field.localName, value };
  }
  return create(schema, init as never);
}

function hostileValue(field: DescField, text: string, depth: number): unknown {
  const one = (): unknown => {
    if (field.message !== undefined) {
      return depth >= DEPTH_MAX ? undefined : hostileMessage(field.message, text, depth + 1);
    }
    if (field.enum !== undefined) return field.enum.values.at(-1)!.number;
    switch ((field as { readonly scalar?: ScalarType }).scalar) {
      case ScalarType.STRING:
        return /json$/.test(field.name) ? JSON.stringify([text]) : `${field.name} ${text}`;
      case ScalarType.BYTES:
        return new TextEncoder().encode(text);
      case ScalarType.BOOL:
        return true;
      case ScalarType.INT64:
      case ScalarType.UINT64:
        return 1n;
      default:
        return 1;
    }
  };
  if (field.fieldKind === "map") {
    return field.mapKind === "scalar" ? { [`key ${text}`]: `value ${text}` } : {};
  }
  const value = one();
  return field.fieldKind === "list" ? (value === undefined ? [] : [value]) : value;
}

/** What a server answers to each method: hostile messages, or hostile refusals. */
function hostileAnswers(text: string, isRefusing: boolean): Answers {
  const fail = () => {
    const hint = `hint ${text}`;
    throw new JobError("conflict", `refused ${text}`, { hint, path: `path ${text}` });
  };
  return Object.fromEntries(
    Object.values(JobService.method).map(({ localName, output, methodKind }) => {
      const message = () => hostileMessage(output, text);
      if (isRefusing) return [localName, fail];
      return [localName, methodKind === "unary" ? message : () => [message(), message()]];
    }),
  );
}

interface NamedVerb {
  readonly titles: readonly string[];
  readonly verb: Verb;
}

function leaves(entries: readonly (Verb | VerbGroup)[], titles: readonly string[]): NamedVerb[] {
  return entries.flatMap((entry) =>
    isGroup(entry)
      ? leaves(entry.verbs as readonly (Verb | VerbGroup)[], [...titles, entry.name])
      : [{ titles: [...titles, entry.name], verb: entry }]
  );
}

/** Words that a verb needs. */
const WORDS: Readonly<Record<string, string>> = {
  ID,
  NAME: "x",
  KIND: "sum",
  COUNT: "2",
  N: "2",
  TIME: "12:00",
  SCHEDULE: "s",
  DURATION: "1h",
};

/** Command lines of a verb: alone, and with each of its flags. */
function lines({ titles, verb }: NamedVerb): string[][] {
  const words = (verb.words ?? []).filter(({ isOptional }) => !isOptional).map(({ name }) =>
    WORDS[name] ?? "x"
  );
  const all = (verb.words ?? []).map(({ name }) => WORDS[name] ?? "x");
  const options = Object.entries(verb.options ?? {});
  const flags = options.filter(([, { isFlag }]) => isFlag).map(([name]) => name);
  const yes = flags.includes("yes") ? ["--yes"] : [];
  const base = [...titles, ...words, ...yes];
  const kinds = options.some(([name]) => name === "kind") ? [[...base, "--kind", "sum"]] : [];
  return [
    base,
    [...titles, ...all, ...yes],
    ...kinds,
    ...flags.filter((name) => name !== "yes").map((name) => [...base, `--${name}`]),
  ];
}

/** Verbs that take the whole terminal, wait for another process, or change this machine. */
const ELSEWHERE = /^(serve|top|selftest|docs|init|wrap|exec|install-service|uninstall-service)$/;
/** Flags that keep on looking. */
const ENDLESS = /^--(follow|watch|edit)$/;

/** Forms of output: on a terminal, and the table for people also in a pipe. */
const FORMS: readonly { readonly output: readonly string[]; readonly isTerminal: boolean }[] = [
  { output: [], isTerminal: true },
  { output: ["-o", "table"], isTerminal: false },
  ...["wide", "json", "yaml", "csv", "name"].map((form) => ({
    ...{ output: ["-o", form], isTerminal: true },
  })),
];

/**
 * Command lines with the text and the form of their output: every form with the first text, and
 * the other texts in pairs, which begin with another one of them for each verb.
 */
function* attempts(named: NamedVerb, turn: number) {
  const all = lines(named).filter((argv) => !argv.some((word) => ENDLESS.test(word)));
  const rest = HOSTILE_TEXTS.slice(1);
  const place = turn % rest.length;
  const turned = [...rest.slice(place), ...rest.slice(0, place)];
  const texts = [0, 2, 4].map((from) => turned.slice(from, from + 2).join(" "));
  for (const argv of all) yield { argv, text: HOSTILE_TEXTS[0]!, ...FORMS[0]! };
  for (const form of FORMS.slice(1)) yield { argv: all[1]!, text: HOSTILE_TEXTS[0]!, ...form };
  for (const text of texts) yield { argv: all[1]!, text, ...FORMS[0]! };
}

/** The first control character that a terminal would get, with the text around it. */
function rawPart(output: string): string | null {
  const shown = output.replaceAll(CLEARED, "");
  const raw = RAW.exec(shown);
  return raw && JSON.stringify(shown.slice(Math.max(0, raw.index - 60), raw.index + 20));
}

for (const isRefusing of [false, true]) {
  const how = isRefusing ? "refuses" : "answers";
  test(`no verb lets a server that ${how} with hostile texts control the terminal`, () =>
    withTempDir({}, async ({ path }) => {
      const verbs = leaves(await loadVerbs(), []).filter(({ titles, verb }) =>
        !ELSEWHERE.test(titles[0]!) && verb.isOffline !== true
      );
      assert.ok(verbs.length >= 45, String(verbs.length));
      const found = new Set<string>();
      let shownCount = 0;
      for (const [turn, named] of verbs.entries()) {
        for (const { argv, text, output, isTerminal } of attempts(named, turn)) {
          const clock = new SimClock(NOW);
          const answers = hostileAnswers(text, isRefusing);
          const env = { NO_COLOR: "1", HOME: path };
          const options = { answers, isTerminal, env, cwd: path, input: "y\n", clock };
          const run = await outcomeOf(cli([...argv, ...output], options), clock);
          // Some wait for a daemon that ends, or for a stream. A pipe gets the output of a job.
          if (run === null || (named.titles[0] === "run" && !isTerminal)) continue;
          const raw = rawPart(run.stdout + run.stderr);
          if (raw !== null) found.add(`${[...argv, ...output].join(" ")}: ${raw}`);
          if (/\\x1b|\\u202e|\\x9b|\\u2028|\\x08/.test(run.stdout + run.stderr)) shownCount += 1;
        }
      }
      assert.deepEqual([...found], []);
      // They show many of the texts, in a form that can be seen.
      assert.ok(shownCount > 300, String(shownCount));
    }));
}

/** What a run gives while its clock goes on for an hour; null if it still waits then. */
async function outcomeOf(run: Promise<CliRun>, clock: SimClock): Promise<CliRun | null> {
  let outcome: CliRun | null = null;
  void run.then((done) => outcome = done);
  for (let turn = 0; outcome === null && turn < 300; turn += 1) {
    if (turn >= 240) await clock.advance(60_000);
    await new Promise((resolve) => setTimeout(resolve, turn < 40 ? 0 : 1));
  }
  return outcome;
}
