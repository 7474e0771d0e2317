/**
 * The name of a variable that configures the JavaScript engine before any of our code runs; null if
 * there is none. Variables that the runtime itself would read are removed from the compiled file
 * when it is built.
 */
export function refusedVariable(env: Readonly<Record<string, string | undefined>>): string | null {
  return Object.keys(env).find((name) => name.startsWith("BUN_JSC_")) ?? null;
}

/**
 * Remove variables that would weaken connections: certificates are checked, whatever the
 * environment says.
 */
export function forgetVariables(env: Record<string, string | undefined>): void {
  delete env.NODE_TLS_REJECT_UNAUTHORIZED;
}
