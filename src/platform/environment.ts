/**
 * A variable that steers the engine of the runtime before any of our code runs; null when there is none. What the runtime itself
 * would read is taken out of the compiled file when it is built.
 */
export function refusedVariable(env: Readonly<Record<string, string | undefined>>): string | null {
  return Object.keys(env).find((name) => name.startsWith("BUN_JSC_")) ?? null;
}

/** Take out what would make connections less than they say: certificates are checked, whatever the environment wishes. */
export function forgetVariables(env: Record<string, string | undefined>): void {
  delete env.NODE_TLS_REJECT_UNAUTHORIZED;
}
