import type { OpenChildren, Wait } from "../wait.ts";

/** The part of a wait that is put into words. */
export type WaitWords = Pick<Wait, "type" | "name"> & {
  /** Of several children: the count, if it is known. */
  readonly count?: Pick<OpenChildren, "open" | "total">;
};

/** Waits in a sentence: `signal "approved" or the end of pause "late"`. */
export function waitsText(waits: readonly WaitWords[]): string {
  const shown = waits.slice(0, 3).map(oneText);
  const more = waits.length - shown.length;
  return shown.join(" or ") + (more > 0 ? ` or ${more} more` : "");
}

function oneText({ type, name, count }: WaitWords): string {
  switch (type) {
    case "time":
      return `the end of pause "${name}"`;
    case "signal":
      return `signal "${name}"`;
    case "child":
      return `child "${name}"`;
    case "children":
      return count === undefined
        ? `children "${name}"`
        : `${count.open} of ${count.total} children "${name}"`;
    case "step":
      return `the next try of step "${name}"`;
    case "change":
      return "the acceptance of its changed code (jobctl resume ID --accept)";
    case "turn":
      return "its turn among its siblings";
    case "undo":
      return `a decision on the undo of step "${name}", which failed (jobctl undo)`;
  }
}
