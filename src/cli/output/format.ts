/** Forms in which a result is written. */
export type OutputFormat = "table" | "wide" | "json" | "jsonl" | "yaml" | "csv" | "name";

/** All of them, in the order of the help. */
export const OUTPUT_FORMATS: readonly OutputFormat[] = [
  "table",
  "wide",
  "json",
  "jsonl",
  "yaml",
  "csv",
  "name",
];
