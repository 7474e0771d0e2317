/**
 * How bad it is that some runs failed, from 0 for none to 4 for at least half. Any failure gives at
 * least 1.
 */
export function failureStep(failed: number, completed: number): 0 | 1 | 2 | 3 | 4 {
  if (failed === 0) return 0;
  const part = failed / (failed + completed);
  return part >= 0.5 ? 4 : part >= 0.1 ? 3 : part >= 0.01 ? 2 : 1;
}
