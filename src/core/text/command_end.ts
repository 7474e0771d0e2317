/** How a command ended that did not succeed, in the words of its error: `exited with code 3`. */
export function commandEnd(
  { exitCode, signal }: { readonly exitCode?: number; readonly signal?: string },
): string {
  return signal === undefined ? `exited with code ${exitCode}` : `was ended by ${signal}`;
}
