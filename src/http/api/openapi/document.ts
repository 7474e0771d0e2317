import type { JsonSchema } from "../../../core/arguments/json_schema.ts";
import type { Job } from "../../../rpc/gen/job_pb.ts";
import { VERSION } from "../../../platform/version.ts";
import { contractRoutes, type Route } from "../routes.ts";
import { jobOperations } from "./job_operations.ts";
import { operationOf, pathOf, PROBLEM_RESPONSE, PROBLEM_SCHEMA } from "./operations.ts";
import { Schemas } from "./schemas.ts";

const ABOUT =
  "The methods of jobctl's gRPC API as JSON over HTTP, and one operation for each job. " +
  "See docs/http.md.";

/**
 * The API as a document of OpenAPI 3.1: the routes of the contract with its comments, and an
 * operation for each of the given jobs.
 *
 * @param basePath path of the server behind a proxy; empty without one
 */
export function apiDocument(jobs: readonly Job[], basePath: string): JsonSchema {
  const schemas = new Schemas();
  const paths: Record<string, Record<string, JsonSchema>> = {};
  const routes = contractRoutes();
  for (const same of groupsOf(routes).values()) {
    const { verb } = same[0]!;
    (paths[pathOf(same[0]!)] ??= {})[verb.toLowerCase()] = operationOf(same, schemas);
  }
  const run = routes.find(({ name }) => name === "scheduleJob")!;
  const own = jobOperations(run, jobs, schemas);
  for (const { path, operation } of own) paths[path] = { post: operation };
  return {
    openapi: "3.1.0",
    info: {
      title: "jobctl",
      version: VERSION,
      description: ABOUT,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: basePath === "" ? "/" : basePath }],
    security: [{ token: [] }, { session: [] }],
    paths,
    components: {
      schemas: Object.fromEntries([
        ["Problem", PROBLEM_SCHEMA],
        ...schemas.made,
        ...own.flatMap((job) => Object.entries(job.schemas)),
      ]),
      responses: { Problem: PROBLEM_RESPONSE },
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "jobctl_session" },
      },
    },
  };
}

/** Routes that differ only in a parameter of the query are one operation. */
function groupsOf(routes: readonly Route[]): ReadonlyMap<string, readonly Route[]> {
  const groups = new Map<string, Route[]>();
  for (const route of routes) {
    const key = `${route.verb} ${pathOf(route)}`;
    const group = groups.get(key);
    if (group) group.push(route);
    else groups.set(key, [route]);
  }
  return groups;
}
