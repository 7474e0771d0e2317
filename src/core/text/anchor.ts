/**
 * The anchor of a heading, as GitHub makes it: `Limits, schedules and @reboot` becomes
 * `limits-schedules-and-reboot`. The site and `jobctl docs` use the same, so that links work
 * everywhere.
 *
 * @param title the heading without its markup
 */
export function anchorOf(title: string): string {
  return title.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
}
