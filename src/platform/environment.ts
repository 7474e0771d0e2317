/**
 * The name of a variable that configures the JavaScript engine before any of our code runs; null if
 * there is none. Variables that the runtime itself would read are removed from the compiled file
 * when it is built.
 */
export function refusedVariable(env: Readonly<Record<string, string | undefined>>): string | null {
  return Object.keys(env).find((name) => name.startsWith("BUN_JSC_")) ?? null;
}

/**
 * Remove variables that would weaken connections or print what they carry: certificates are
 * checked, whatever the environment says, and gRPC's traces would show tokens. It reads its
 * variables when it is loaded, so call this first.
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
