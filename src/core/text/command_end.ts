/** The end of a failed command, as its error words it: `exited with code 3`. */
export function commandEnd(
  { exitCode, signal }: { readonly exitCode?: number; readonly signal?: string },
): string {
  return signal === undefined ? `exited with code ${exitCode}` : `was ended by ${signal}`;
}
