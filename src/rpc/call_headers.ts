/**
 * Form of arguments and results, by the header of a call: with {@link JSON_VALUES} as JSON text in
 * `arguments_json` and `results_json`, else as texts, like in go-job.
 */
export const VALUES_HEADER = "job-values";
/** See {@link VALUES_HEADER}. */
export const JSON_VALUES = "json";
