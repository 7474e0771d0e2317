import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Validator } from "@seriousme/openapi-schema-validator";
import openapiTS from "openapi-typescript";
import type { TypeShape } from "../../../src/core/arguments/signature.ts";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import { contractRoutes } from "../../../src/http/api/routes.ts";
import { pathOf } from "../../../src/http/api/openapi/operations.ts";
import { Manager } from "../../../src/index.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { apiWorld } from "../../support/worlds/api_world.ts";
import { fakeJob, FakeManager } from "../../support/worlds/fake_manager.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";

type Document = Record<string, unknown> & {
  readonly paths: Record<string, Record<string, Record<string, unknown>>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
};

const TREE: TypeShape = {
  type: "object",
  members: [{ name: "left", isOptional: true, shape: { type: "ref", name: "Tree" } }],
};

/** A job with arguments of several types, one of which contains itself. */
function typedJob(kind: string): JobDefinition {
  const manager = new Manager({ workers: 0 });
  const params = "count: Int, names?: string[], tree?: unknown";
  manager.registerJob({ kind, description: "Counts", params, run: () => {} });
  const job = manager.getJob(kind);
  const [count, names, tree] = job.signature.parameters;
  const parameters = [count!, names!, { ...tree!, shape: { type: "ref", name: "Tree" } as const }];
  return { ...job, signature: { ...job.signature, parameters, definitions: { Tree: TREE } } };
}

/** The document of a daemon with these jobs. */
async function documentOf(
  jobs: readonly JobDefinition[],
  basePath = "",
): Promise<Document> {
  const manager = new FakeManager();
  manager.jobs.clear();
  for (const job of jobs) manager.jobs.set(job.kind, job);
  await using world = await apiWorld({ manager, basePath });
  const response = await world.send("GET", "/api/v1/openapi.json");
  assert.equal(response.status, 200);
  return await response.json() as Document;
}

/** All values of a member, anywhere in a value. */
function* membersNamed(name: string, value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if (key === name) yield member;
    yield* membersNamed(name, member);
  }
}

test("openapi.json is a valid document whose references all lead somewhere", async () => {
  const document = await documentOf([typedJob("report"), fakeJob("free")], "/jobs");
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.deepEqual([valid, errors], [true, undefined]);
  for (const reference of membersNamed("$ref", document)) {
    let found: unknown = document;
    for (const part of String(reference).split("/").slice(1)) {
      found = (found as Record<string, unknown> | undefined)?.[decodeURIComponent(part)];
    }
    assert.ok(found !== undefined && JSON.stringify(found) !== "{}", String(reference));
  }
  const ids = [...membersNamed("operationId", document)];
  assert.equal(new Set(ids).size, ids.length);
});

test("openapi.json has every route of the contract, and their comments", async () => {
  const document = await documentOf([]);
  for (const route of contractRoutes()) {
    const operation = document.paths[pathOf(route)]?.[route.verb.toLowerCase()];
    assert.ok(operation, `${route.verb} ${route.path}`);
  }
  const wait = document.paths["/api/v1/instances/{id}"]!["get"]!["parameters"] as {
    name: string;
  }[];
  assert.deepEqual(wait.map(({ name }) => name), ["id", "exact", "wait_ms", "wait"]);
  const { properties } = document.components.schemas["JobInstance"]! as {
    properties: Record<string, { description?: string }>;
  };
  const { description } = properties["deadline_at"]!;
  assert.equal(description, "When it must have ended, including all waits and attempts.");
});

test("openapi.json has an operation for each job, with its own arguments", async () => {
  const odd = "a/b {c}";
  const jobs = [typedJob("shop-report"), fakeJob("shop report"), fakeJob(odd), fakeJob("system.x")];
  const { paths, components } = await documentOf(jobs);
  const { post } = paths["/api/v1/jobs/shop-report/runs"]!;
  assert.equal(post!["description"], "Counts");
  assert.match(String(post!["summary"]), /^shop-report <count: Int>/);
  const { properties, required } = components.schemas["Arguments_shop_report"]!;
  assert.deepEqual(Object.keys(properties as object), ["count", "names", "tree"]);
  assert.deepEqual(required, ["count"]);
  assert.ok(components.schemas["Arguments_shop_report_2"]);
  assert.ok(paths["/api/v1/jobs/a%2Fb%20%7Bc%7D/runs"]);
  assert.equal(Object.keys(paths).some((path) => path.includes("system")), false);
});

test("openapi.json has only the jobs that the caller may see", async () => {
  const manager = new FakeManager();
  for (const kind of ["shop-a", "other"]) manager.jobs.set(kind, fakeJob(kind));
  const tokens = [tokenEntry("shop", "s-token", "viewer", { jobs: ["shop-*"] })];
  await using world = await apiWorld({ manager, auth: { ...NO_AUTH, mode: "token", tokens } });
  assert.equal((await world.send("GET", "/api/v1/openapi.json")).status, 401);
  const headers = { authorization: "Bearer s-token" };
  const response = await world.send("GET", "/api/v1/openapi.json", undefined, headers);
  const { paths } = await response.json() as Document;
  const runs = Object.keys(paths).filter((path) => /jobs\/[^{].*\/runs/.test(path));
  assert.deepEqual(runs, ["/api/v1/jobs/shop-a/runs"]);
  const tag = response.headers.get("etag")!;
  const again = await world.send("GET", "/api/v1/openapi.json", undefined, {
    ...headers,
    "if-none-match": tag,
  });
  assert.equal(again.status, 304);
});

const CLIENT = `
import type { operations, paths } from "./api.ts";

type Run = operations["run_report"]["requestBody"]["content"]["application/json"];
export const run: Run = { arguments: { count: 3, names: ["a"], tree: { left: {} } }, timeout: "5m" };
// @ts-expect-error: the job needs a count
export const empty: Run = { arguments: {} };
// @ts-expect-error: a count is a number
export const wrong: Run = { arguments: { count: "3" } };

type Page = paths["/api/v1/instances"]["get"]["responses"][200]["content"]["application/json"];
export const firstOf = ({ instances }: Page): string | undefined => instances[0]?.id;
type Query = NonNullable<paths["/api/v1/instances"]["get"]["parameters"]["query"]>;
export const failed: Query = { state: "terminated", page_size: 10 };
// @ts-expect-error: there is no such state
export const none: Query = { state: "failed" };
`;

test("the types that openapi-typescript makes of openapi.json compile, and know the jobs", async () => {
  const document = await documentOf([typedJob("report")]);
  const types = await openapiTS(document as never);
  await withTempDir({}, async ({ path }) => {
    writeFileSync(join(path, "api.ts"), types);
    writeFileSync(join(path, "client.ts"), CLIENT);
    const tsc = fileURLToPath(new URL("../../../node_modules/.bin/tsc", import.meta.url));
    const options = ["--noEmit", "--strict", "--allowImportingTsExtensions", "--skipLibCheck"];
    await promisify(execFile)(tsc, [...options, "--types", "", "client.ts"], { cwd: path })
      .catch((error: { stdout?: string }) => assert.fail(error.stdout ?? String(error)));
  });
});
