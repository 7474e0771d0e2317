/**
 * How arguments and results are returned, by the header of a call: with {@link JSON_VALUES} as JSON
 * text in `arguments_json` and `results_json`, else as texts, as go-job has them.
 */
export const VALUES_HEADER = "job-values";
/** See {@link VALUES_HEADER}. */
export const JSON_VALUES = "json";
