/**
 * Adds two numbers.
 *
 * The types are the interface: `jobctl schedule sum 1 2` converts the text to numbers, `jobctl schedule sum 1 two` is refused.
 *
 * @param x the first number
 * @param y the second number
 */
export default function sum(x: number, y: number): number {
  return x + y;
}
