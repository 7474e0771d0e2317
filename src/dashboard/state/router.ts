import { type ReadonlySignal, signal } from "@preact/signals";
import { BASE } from "../browser/base_path.ts";
import type { QueryValues } from "../api/client.ts";

/** The reader's place. */
export interface Place {
  /** Below the base path, such as "/jobs/report". */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Without "#". */
  readonly hash: string;
}

function placeNow(): Place {
  const { pathname, search, hash } = location;
  const inside = pathname.startsWith(BASE) ? pathname.slice(BASE.length - 1) : "/";
  const path = inside.length > 1 ? inside.replace(/\/+$/, "") : "/";
  return { path, query: new URLSearchParams(search), hash: hash.slice(1) };
}

const current = signal(placeNow());

/** The place that is shown. */
export const place: ReadonlySignal<Place> = current;

/** Rises with each page that is opened, not with a change of its query. */
export const visits = signal(0);

/** The URL of a place, without undefined and empty values. */
export function href(path: string, query: QueryValues = {}, hash = ""): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    if (value === undefined || value === null || value === "" || value === false) return [];
    const list = Array.isArray(value) ? value as readonly string[] : [String(value)];
    return list.map((one) => [name, one] as [string, string]);
  });
  const text = new URLSearchParams(pairs).toString();
  return `${BASE}${path.slice(1)}${text === "" ? "" : `?${text}`}${hash === "" ? "" : `#${hash}`}`;
}

/** Show another place. */
export function go(url: string, isReplaced = false): void {
  const before = current.peek().path;
  if (isReplaced) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  current.value = placeNow();
  if (current.peek().path !== before) visits.value++;
}

/** Change parameters of the place's query, without another entry in the history. */
export function setQuery(values: QueryValues): void {
  const { path, query, hash } = current.peek();
  const merged: Record<string, string | readonly string[]> = {};
  for (const name of query.keys()) merged[name] = query.getAll(name);
  go(href(path, { ...merged, ...values }, hash), true);
}

function isOurs(link: HTMLAnchorElement): boolean {
  return link.origin === location.origin && link.pathname.startsWith(BASE) && link.target === "" &&
    !link.hasAttribute("download") && !link.hasAttribute("data-plain");
}

function onClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (link === null || !isOurs(link)) return;
  if (link.hash !== "" && link.pathname === location.pathname && link.search === location.search) {
    return;
  }
  event.preventDefault();
  go(link.href);
}

/** Follow links and the browser's history. */
export function startRouter(): void {
  document.addEventListener("click", onClick);
  addEventListener("popstate", () => {
    const before = current.peek().path;
    current.value = placeNow();
    if (current.peek().path !== before) visits.value++;
  });
}

/**
 * The decoded parameters of a path that matches a pattern such as "/jobs/:kind".
 *
 * @returns null if it does not match
 */
export function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | null {
  const wanted = pattern.split("/");
  const found = path.split("/");
  if (wanted.length !== found.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = found[index]!;
    if (!part.startsWith(":")) {
      if (part !== text) return null;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(text);
    } catch {
      return null;
    }
  }
  return params;
}
