/**
 * A count with its noun: "1 run", "2 runs".
 *
 * @param many the plural, if it is not `one` with an s
 */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
