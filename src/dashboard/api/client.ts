import { signal } from "@preact/signals";
import { BASE } from "../browser/base_path.ts";
import { Problem, problemOf, toProblem } from "./problem.ts";

/** Values of a query; undefined or empty ones are omitted, and lists are repeated. */
export type QueryValues = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined | null>
>;

/** True if the last response required a login. */
export const isLoggedOut = signal(false);

/** The URL of a path of the API, with a query. */
export function apiUrl(path: string, query: QueryValues = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    if (value === undefined || value === null || value === "") return [];
    const list = Array.isArray(value) ? value as readonly string[] : [String(value)];
    return list.map((one) => [name, one] as [string, string]);
  });
  const text = new URLSearchParams(pairs).toString();
  return `${BASE}api/v1${path}${text === "" ? "" : `?${text}`}`;
}

/** A segment of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** Send a request to the API. @throws Problem */
export async function send<T>(method: string, url: string, options: {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
} = {}): Promise<T> {
  const { body, signal } = options;
  try {
    const response = await fetch(url, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
    noteStatus(response.status);
    if (!response.ok) throw await problemOf(response);
    const text = await response.text();
    return (text === "" ? {} : JSON.parse(text)) as T;
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error instanceof SyntaxError) {
      throw new Problem("The daemon sent no JSON", { status: 502, code: "internal" });
    }
    throw toProblem(error);
  }
}

/** Remember whether the daemon knows the caller. */
export function noteStatus(status: number): void {
  if (status === 401) isLoggedOut.value = true;
  else if (status < 400) isLoggedOut.value = false;
}

/** GET. @throws Problem */
export function get<T>(path: string, query?: QueryValues, signal?: AbortSignal): Promise<T> {
  return send("GET", apiUrl(path, query), { signal });
}

/** POST. @throws Problem */
export function post<T>(path: string, body: unknown = {}, signal?: AbortSignal): Promise<T> {
  return send("POST", apiUrl(path), { body, signal });
}

/** PATCH. @throws Problem */
export function patch<T>(path: string, body: unknown): Promise<T> {
  return send("PATCH", apiUrl(path), { body });
}

/** DELETE. @throws Problem */
export function remove<T>(path: string, query?: QueryValues): Promise<T> {
  return send("DELETE", apiUrl(path, query));
}
