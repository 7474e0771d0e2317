/**
 * The name of a variable that configures the JavaScript engine before any of our code runs; null
 * without one. The build removes variables that the runtime itself would read from the compiled
 * file.
 */
export function refusedVariable(env: Readonly<Record<string, string | undefined>>): string | null {
  return Object.keys(env).find((name) => name.startsWith("BUN_JSC_")) ?? null;
}

/**
 * Remove variables that would weaken connections or print their data: certificates are always
 * checked, and gRPC's traces would show tokens. Call this before gRPC is loaded and reads them.
 */
export function forgetVariables(env: Record<string, string | undefined>): void {
  for (const name of Object.keys(env)) {
    if (!FORGOTTEN.has(name) && !name.startsWith("GRPC_")) continue;
    forgotten[name] = env[name];
    delete env[name];
  }
}

/** The variables that {@link forgetVariables} removed, for programs that should have them. */
export function forgottenVariables(): Readonly<Record<string, string | undefined>> {
  return forgotten;
}

const forgotten: Record<string, string | undefined> = {};

const FORGOTTEN: ReadonlySet<string> = new Set(["NODE_TLS_REJECT_UNAUTHORIZED", "NODE_DEBUG"]);
