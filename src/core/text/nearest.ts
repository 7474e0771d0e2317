// Longer names are cut: the distance takes the product of both lengths.
const LENGTH_MAX = 100;

/** The candidate that `name` most likely misspells; null if none is near. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  if (name === "") return null;
  let best: string | null = null;
  const wanted = name.slice(0, LENGTH_MAX).toLowerCase();
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.slice(0, LENGTH_MAX).toLowerCase());
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** A hint with the candidate that `name` most likely misspells; undefined if none is near. */
export function didYouMean(
  name: string,
  candidates: Iterable<string>,
  prefix = "",
): string | undefined {
  const near = nearest(name, candidates);
  return near === null ? undefined : `Did you mean "${prefix}${near}"?`;
}

/** Letters to insert, delete, replace or swap with a neighbour to turn `from` into `to`. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      let distance = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (isSame ? 0 : 1),
      );
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && isSwap) {
        distance = Math.min(distance, beforeLast[column - 2]! + 1);
      }
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length]!;
}
