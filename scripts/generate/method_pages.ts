// Writes the tables of methods in docs/security.md, docs/api.md and docs/http.md. A method that a
// page does not have yet gets its comment in job.proto as text; texts that are there stay.
import { readFileSync, writeFileSync } from "node:fs";
import { pathOf } from "../../src/http/api/openapi/operations.ts";
import { Schemas } from "../../src/http/api/openapi/schemas.ts";
import { contractRoutes, type Route } from "../../src/http/api/routes.ts";
import { type CallName, type Role, roleOf, ROLES } from "../../src/rpc/auth/auth.ts";
import type { MethodName } from "../../src/rpc/backend.ts";
import { JobService } from "../../src/rpc/gen/job_pb.ts";
import { METHOD_RULES } from "../../src/rpc/gen/method_rules.ts";
import { ServerReflection } from "../../src/rpc/gen/reflection_v1_pb.ts";

const METHODS = [...JobService.methods, ...ServerReflection.methods];
const { comments } = new Schemas();

const placeOf = (page: string) => new URL(`../../docs/${page}`, import.meta.url);
const read = (page: string) => readFileSync(placeOf(page), "utf8");

/** Replace the rows of the table below a header. */
function writeTable(
  page: string,
  header: string,
  change: (rows: readonly string[]) => readonly string[],
): void {
  const lines = read(page).split("\n");
  const begin = lines.indexOf(header) + 2;
  if (begin === 1) throw new TypeError(`docs/${page} has no table with the header ${header}`);
  const end = lines.findIndex((line, index) => index >= begin && !line.startsWith("|"));
  lines.splice(begin, end - begin, ...change(lines.slice(begin, end)));
  writeFileSync(placeOf(page), lines.join("\n"));
}

/** The comment of a method, as a cell. */
function textOf(method: string): string {
  const [first = ""] = (comments.get(`JobService.${method}`) ?? "").split(/\.(?: |$)/);
  return first.slice(0, 1).toLowerCase() + first.slice(1);
}

function roleRows(rows: readonly string[]): readonly string[] {
  const texts = new Map(rows.map((row) => {
    const cells = row.slice(2, -2).split(" | ");
    return [cells[0]!, cells.at(-1)!];
  }));
  const rowOf = (title: string, role: Role, text: string) => {
    const cells = ROLES.map((one) => ROLES.indexOf(one) >= ROLES.indexOf(role) ? "yes" : "no");
    return `| ${[title, ...cells, texts.get(title) ?? text].join(" | ")} |`;
  };
  return METHODS.flatMap(({ name, localName }) => [
    rowOf(`\`${name}\``, roleOf(localName as CallName)!, textOf(name)),
    ...Object.entries(METHOD_RULES[localName as MethodName]?.fields ?? {}).map(([field, role]) =>
      rowOf(`\`${name}\` with \`${field}\``, role, "")
    ),
  ]);
}

/** The rows, and for each missing method one behind that of the method before it. */
function withMissing(rows: readonly string[]): readonly string[] {
  const page = read("api.md");
  const all = [...rows];
  METHODS.forEach(({ name, localName }, index) => {
    if (new RegExp(`^\\|.*\`${name}\`.* \\|$`, "m").test(page)) return;
    const before = `\`${METHODS[index - 1]?.name}\``;
    const place = all.findIndex((row) => row.includes(before));
    const row = `| \`${name}\` | ${textOf(name)} | ${roleOf(localName as CallName)} |`;
    all.splice(place === -1 ? all.length : place + 1, 0, row);
  });
  return all;
}

const rankOf = ({ verb }: Route) => ["GET", "PUT", "POST", "PATCH", "DELETE"].indexOf(verb);

function pathRows(): readonly string[] {
  return contractRoutes()
    .map((route) => ({ ...route, path: pathOf(route).replace("/api/v1", "") }))
    .sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : rankOf(a) - rankOf(b))
    .map(({ verb, path, when, method }) => {
      const { name } = JobService.method[method.name];
      return `| \`${verb} ${path}${when === null ? "" : `?${when}=30s`}\` | \`${name}\` |`;
    });
}

writeTable("security.md", "| method | viewer | operator | admin | what it does |", roleRows);
writeTable("api.md", "| Added method | What it does | Role |", withMissing);
writeTable("http.md", "| request | method |", pathRows);
