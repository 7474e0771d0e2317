import { isFinal, type JobState } from "../state.ts";

/** Most children of one kind with a line each; another line sums up the rest. */
export const SHOWN_MAX = 10;
/** Deepest level that is indented further: a flow may be a chain of thousands. */
const LEVEL_MAX = 20;

/** The part of an instance that places it in the tree of its flow. */
export interface FlowMember {
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  /** Null if unknown. */
  readonly state: JobState | null;
}

/** One line of the tree. */
export interface FlowLine<T> {
  readonly kind: string;
  /** One instance; or several children of a parent, if `isSum`. */
  readonly members: readonly T[];
  readonly isSum: boolean;
  /** Number of the levels above. */
  readonly level: number;
  /** The branches that lead to it, such as "│  ├─ ". */
  readonly lead: string;
}

/**
 * The tree of a flow, each parent before its children; what has no parent among them is at the top.
 *
 * @param members in the order of the lines
 * @param wantedId an instance that gets a line in any case, with those above it
 */
export function flowLines<T extends FlowMember>(
  members: readonly T[],
  wantedId = "",
): readonly FlowLine<T>[] {
  const byId = new Map(members.map((one) => [one.id, one]));
  const wanted = new Set<string>();
  for (let one = byId.get(wantedId); one !== undefined && !wanted.has(one.id);) {
    wanted.add(one.id);
    one = byId.get(one.parentId ?? "");
  }
  const childrenOf = Map.groupBy(
    members,
    ({ parentId = "" }) => byId.has(parentId) ? parentId : "",
  );
  const lines: FlowLine<T>[] = [];
  // The next line is the last one.
  const open: (FlowLine<T> & { readonly below: string })[] = [];
  const add = (parentId: string, level: number, lead: string) => {
    const parts = partsOf(childrenOf.get(parentId) ?? [], wanted);
    for (const [index, part] of [...parts.entries()].reverse()) {
      const [branch, trunk] = index === parts.length - 1 ? ["└─ ", "   "] : ["├─ ", "│  "];
      const below = level < LEVEL_MAX ? lead + trunk : lead;
      open.push(
        level === 0
          ? { ...part, level, lead: "", below: "" }
          : { ...part, level, lead: lead + branch, below },
      );
    }
  };
  add("", 0, "");
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { below, ...line } = next;
    lines.push(line);
    if (!line.isSum) add(line.members[0]!.id, Math.min(line.level + 1, LEVEL_MAX), below);
  }
  return lines;
}

/** The lines of the children of one parent, without their places. */
function partsOf<T extends FlowMember>(children: readonly T[], wanted: ReadonlySet<string>) {
  return [...Map.groupBy(children, ({ kind }) => kind)].flatMap(([kind, all]) => {
    const weight = (one: T) => wanted.has(one.id) ? -1 : weightOf(one);
    const shown = all.length <= SHOWN_MAX
      ? all
      : all.toSorted((a, b) => weight(a) - weight(b)).slice(0, SHOWN_MAX);
    const parts = shown.map((one) => ({ kind, members: [one], isSum: false }));
    if (shown.length === all.length) return parts;
    const known = new Set(shown);
    return [...parts, { kind, members: all.filter((one) => !known.has(one)), isSum: true }];
  });
}

/** The most interesting first. */
function weightOf({ state }: FlowMember): number {
  if (state === "processing") return 0;
  if (state === null || !isFinal(state)) return 2;
  return state === "completed" ? 3 : 1;
}

/** The number of each word, in the order of their first: "2 done, 1 failed". */
export function countWords(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}
