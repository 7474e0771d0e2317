/** Output forms of a result, in the order of the help. */
export const OUTPUT_FORMATS = ["table", "wide", "json", "jsonl", "yaml", "csv", "name"] as const;

/** One of {@link OUTPUT_FORMATS}. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];
