// Separate: the API and the router need it, and must not import each other.

/** The daemon's base path for browsers, which ends with a slash. */
export const BASE: string = (() => {
  const text = document.querySelector<HTMLMetaElement>('meta[name="base"]')?.content ?? "/";
  return text.endsWith("/") ? text : `${text}/`;
})();
