import { JobError } from "../../core/errors.ts";
import { ROUTES } from "../../rpc/gen/messages.ts";
import { type Method, METHOD_OF } from "../../rpc/model/methods.ts";
import type { MethodName } from "../../rpc/backend.ts";

/** The verbs of requests that the contract has rules for. */
export type Verb = "GET" | "PUT" | "POST" | "DELETE" | "PATCH";

/** A rule of the contract: which requests call a method. */
export interface Route {
  readonly method: Method;
  readonly name: MethodName;
  readonly verb: Verb;
  /** True for the first rule of its method. */
  readonly isMain: boolean;
  /** From the contract, such as `/api/v1/jobs/{kind}`. */
  readonly path: string;
  /** Its parts; a variable is the path of a field. */
  readonly segments: readonly (string | { readonly field: string })[];
  readonly hasBody: boolean;
  /** The query parameter of these requests; null for any request. */
  readonly when: string | null;
  /** A field with a fixed value in these requests. */
  readonly set: { readonly field: string; readonly value: string } | null;
}

/** The routes of a path, and the values of its variables. */
export interface PathMatch {
  readonly routes: readonly Route[];
  /** Values of the variables, in the order of the path. */
  readonly values: readonly string[];
}

/** The routes of the contract. */
export function contractRoutes(): Route[] {
  const known = new Set<string>();
  return ROUTES.map((text) => {
    const [name, verb, path, ...rest] = text.split(" ") as [MethodName, Verb, string];
    const rules = new Map(rest.map((one: string) => [one.slice(0, one.indexOf("=")), one]));
    const valueOf = (rule: string) => rules.get(rule)?.slice(rule.length + 1) ?? null;
    const isMain = !known.has(name);
    known.add(name);
    const [field, value] = valueOf("set")?.split("=") as [string, string] ?? [];
    return {
      method: METHOD_OF[name],
      name,
      verb,
      isMain,
      path,
      segments: path.split("/").slice(1).map((part) =>
        part.startsWith("{") ? { field: part.slice(1, -1) } : part
      ),
      hasBody: rules.has("body"),
      when: valueOf("when"),
      set: field === undefined ? null : { field, value },
    };
  });
}

/** A part of the paths: its routes, and the parts that may follow. */
interface Node {
  readonly routes: Route[];
  readonly fixed: Map<string, Node>;
  variable: Node | null;
}

const newNode = (): Node => ({ routes: [], fixed: new Map(), variable: null });

/** Finds the routes of a path. A fixed part of a path goes before a variable one. */
export class RouteTable {
  readonly #root = newNode();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      let node = this.#root;
      for (const segment of route.segments) {
        if (typeof segment !== "string") node = node.variable ??= newNode();
        else {
          let next = node.fixed.get(segment);
          if (next === undefined) node.fixed.set(segment, next = newNode());
          node = next;
        }
      }
      node.routes.push(route);
    }
  }

  /**
   * The routes of a path of a request line; null without any.
   *
   * @throws JobError `invalid_argument` for a path that is not percent-encoded UTF-8
   */
  match(path: string): PathMatch | null {
    const parts = path.split("/");
    return find(this.#root, path.includes("%") ? parts.map(decode) : parts, 1, []);
  }
}

function find(
  node: Node,
  parts: readonly string[],
  at: number,
  values: string[],
): PathMatch | null {
  const part = parts[at];
  if (part === undefined) return node.routes.length > 0 ? { routes: node.routes, values } : null;
  const fixed = node.fixed.get(part);
  const found = fixed ? find(fixed, parts, at + 1, values) : null;
  // An empty variable would mean a missing condition.
  if (found !== null || node.variable === null || part === "") return found;
  return find(node.variable, parts, at + 1, [...values, part]);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new JobError("invalid_argument", `Cannot read the path: "${part}" is not UTF-8`, {
      hint: "Percent-encode the parts of the path, such as %20 for a blank",
      cause: error,
    });
  }
}
