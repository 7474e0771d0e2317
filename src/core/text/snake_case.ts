/** A name in camel case as the key of a file or an output: `misfireWithin` is `misfire_within`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
