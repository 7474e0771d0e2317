/** Version of the time zone database of this process, or of ICU if the runtime names only that. */
export function zoneDatabaseVersion(): string {
  const { tz, icu } = process.versions as Readonly<Record<string, string | undefined>>;
  return tz === undefined ? `icu ${icu ?? "unknown"}` : `tz ${tz}`;
}
