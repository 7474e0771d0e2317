/** Severity of failed runs: 0 for no failures, at least 1 for any, up to 4 for half or more. */
export function failureStep(failed: number, completed: number): 0 | 1 | 2 | 3 | 4 {
  if (failed === 0) return 0;
  const part = failed / (failed + completed);
  return part >= 0.5 ? 4 : part >= 0.1 ? 3 : part >= 0.01 ? 2 : 1;
}
