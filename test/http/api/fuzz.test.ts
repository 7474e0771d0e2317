import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import type { HttpResponse } from "../../../src/http/request/http_types.ts";
import { Manager } from "../../../src/index.ts";
import { OWNER } from "../../../src/rpc/auth/auth.ts";
import {
  type FuzzedRequest,
  type Known,
  type Operation,
  requestsOf,
  type Schema,
} from "../../support/http_fuzz.ts";
import { type ApiWorld, apiWorld } from "../../support/worlds/api_world.ts";
import type { FakeManager } from "../../support/worlds/fake_manager.ts";

/** Requests for each operation: few in the tests, many with `npm run fuzz:http`. */
const RUNS = Number(process.env["JOBCTL_FUZZ_RUNS"] ?? 8);
const SEED = process.env["JOBCTL_FUZZ_SEED"];

/** Operations that would start as many processes as they are told to. */
const WITHOUT = new Set(["resizeWorkers", "resizeWorkersByNode"]);
/** What the library's manager cannot do: it has no configuration, and maintains no store. */
const UNIMPLEMENTED = new Set([
  "reloadConfig",
  "stopDaemon",
  "upgradeDaemon",
  "getConfig",
  "getStore",
]);

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** A daemon with jobs, instances in several states, a schedule and a pause. */
async function withDaemon(
  run: (world: ApiWorld, values: Known["values"]) => Promise<void>,
): Promise<void> {
  const manager = new Manager({ workers: 0 });
  manager.registerJob({
    kind: "typed",
    params: "x: number, names?: string[], o?: unknown",
    run: () => {},
  });
  manager.registerJob({ kind: "a/b", schedule: "0 6 * * *", run: () => {} });
  await manager.start();
  try {
    const { id } = await manager.scheduleJob("typed", { arguments: [1] });
    const late = await manager.scheduleJob("a/b", { at: Date.now() + 1e9 });
    await manager.signalInstance({ id }, "go", { value: 5 });
    await manager.cancelInstances({ ids: [late.id] });
    const { id: schedule } = await manager.scheduleRecurring("a/b", { cron: "@daily" });
    await manager.pause("a/b");
    await using world = await apiWorld({ manager: manager as unknown as FakeManager });
    await run(world, {
      ...{ id: [id, late.id], ids: [[id], [late.id]], schedule_id: [schedule] },
      ...{ kind: ["typed", "a/b"], kinds: [["typed"]], arguments: [[1], { x: 2 }] },
      ...{ level: ["debug", "warn"], page_size: [1, 100], limit: [5], type: ["job"] },
      ...{ cron: ["@daily", "0 6 * * *"], timezone: ["Europe/Berlin"], overlap: ["queue"] },
      ...{ misfire: ["all"], on_conflict: ["keep"], event: ["start", "log"], count: [1] },
      ...{ clear: [["ends_at"]], blackout: [["sat-sun"]], max_retries: [3], runs_max: [2] },
    });
  } finally {
    await manager.stop();
  }
}

async function answerTo(
  { api }: ApiWorld,
  verb: string,
  { path, query, headers, body }: FuzzedRequest,
): Promise<{ readonly status: number; readonly type: string; readonly body: unknown }> {
  const abort = new AbortController();
  const response: HttpResponse = await api.respond({
    method: verb.toUpperCase(),
    path,
    query: new URLSearchParams(query),
    headers,
    body: () => Promise.resolve(new TextEncoder().encode(body)),
    authorize: () => OWNER,
    peer: "127.0.0.1:1",
    signal: abort.signal,
  });
  const type = response.headers["content-type"] ?? "";
  if (!("events" in response)) {
    const text = String(response.body);
    return { status: response.status, type, body: text === "" ? null : JSON.parse(text) };
  }
  const events = response.events[Symbol.asyncIterator]();
  const first = await events.next();
  abort.abort();
  await events.return?.();
  return { status: 200, type, body: JSON.parse((first.value as { data: string }).data) };
}

/** Checks of an operation's responses against their schemas. */
class Checks {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });

  constructor(document: Document) {
    this.#ajv.addSchema({ $id: "document", ...document });
  }

  assert(operation: Operation, { status, type, body }: Awaited<ReturnType<typeof answerTo>>): void {
    const { operationId, responses } = operation;
    const isUnimplemented = status === 501 && UNIMPLEMENTED.has(operationId);
    assert.ok(status < 500 || isUnimplemented, `${status}: ${JSON.stringify(body)}`);
    if (status >= 400) {
      assert.equal(type, "application/problem+json");
      return this.#conforms({ $ref: "#/components/schemas/Problem" }, body);
    }
    assert.ok(responses[status], `${operationId} documents no ${status}`);
    const schema = responses[status].content?.[type]?.schema;
    if (type === "text/event-stream") return;
    if (schema !== undefined) this.#conforms(schema, body);
    else assert.equal(body, null);
  }

  #conforms(schema: Schema, value: unknown): void {
    const reference = `document${String(schema["$ref"])}`;
    const validate = this.#ajv.getSchema(reference)!;
    assert.ok(validate(value), `${reference}: ${JSON.stringify(validate.errors?.slice(0, 3))}`);
  }
}

test("requests made from openapi.json get what it promises, and never a failure of the server", async () => {
  await withDaemon(async (world, values) => {
    const response = await world.send("GET", "/api/v1/openapi.json");
    const document = await response.json() as Document;
    const known = { schemas: document.components.schemas, values };
    const checks = new Checks(document);
    const operations = Object.entries(document.paths).flatMap(([path, verbs]) =>
      Object.entries(verbs).map(([verb, operation]) => ({ path, verb, operation }))
    );
    for (const { path, verb, operation } of operations) {
      if (WITHOUT.has(operation.operationId)) continue;
      const property = fc.asyncProperty(requestsOf(path, operation, known), async (request) => {
        checks.assert(operation, await answerTo(world, verb, request));
      });
      const seed = SEED === undefined ? {} : { seed: Number(SEED) };
      await fc.assert(property, { numRuns: RUNS, ...seed }).catch((error) => {
        throw new Error(`${verb} ${path}: ${(error as Error).message}`, { cause: error });
      });
    }
    const failures = world.lines.filter(({ level }) => level === "error");
    assert.deepEqual(failures, []);
  });
});
