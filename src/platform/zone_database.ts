/** Version of the time zone database that this process computes with, as far as the runtime tells it. */
export function zoneDatabaseVersion(): string {
  const { tz, icu } = process.versions as Readonly<Record<string, string | undefined>>;
  return tz === undefined ? `icu ${icu ?? "unknown"}` : `tz ${tz}`;
}
