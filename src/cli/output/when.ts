/** A time in the local zone: "2026-11-24 16:53:33 +01:00". */
export function formatAbsolute(atMs: number): string {
  const date = new Date(atMs);
  const two = (number: number) => String(Math.abs(number)).padStart(2, "0");
  const offset = -date.getTimezoneOffset();
  const zone = offset === 0
    ? "Z"
    : ` ${offset < 0 ? "-" : "+"}${two(Math.trunc(offset / 60))}:${two(offset % 60)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${
    two(date.getSeconds())
  }${zone}`;
}
