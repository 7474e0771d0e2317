import { type JsonSchema, signatureSchema } from "../../../core/arguments/json_schema.ts";
import { decodeSignature } from "../../../core/arguments/signature_json.ts";
import { isSystemKind } from "../../../core/job/kind.ts";
import type { Job } from "../../../rpc/gen/job_pb.ts";
import type { Route } from "../routes.ts";
import { IDEMPOTENCY_KEY, jsonBody, type Operation, responsesOf } from "./operations.ts";
import { schemaRef, type Schemas } from "./schemas.ts";

/** A job's additions to the document. */
export interface JobOperation {
  readonly path: string;
  readonly operation: Operation;
  /** The schemas of its arguments, by name. */
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

/** Fields of the request that the path or the arguments contain. */
const WITHOUT = new Set(["kind", "arguments"]);
const DEFINITIONS = "#/$defs/";

/** The operations that run the given jobs, each with the arguments of its job. */
export function jobOperations(
  route: Route,
  jobs: readonly Job[],
  schemas: Schemas,
): readonly JobOperation[] {
  const names = new Set<string>();
  const options = schemas.properties(route.method.input, WITHOUT);
  const responses = responsesOf(route, schemas.message(route.method.output, "response"));
  return jobs.filter(({ kind }) => !isSystemKind(kind)).map((job) => {
    const name = freeName(job.kind, names);
    const own = argumentsOf(job, name);
    const isNeeded = Array.isArray(own[name]!["required"]);
    return {
      path: `/api/v1/jobs/${encodeURIComponent(job.kind)}/runs`,
      schemas: own,
      operation: {
        operationId: `run_${name.slice(PREFIX.length)}`,
        tags: ["runs"],
        summary: job.usage === "" ? job.kind : job.usage,
        ...(job.description === "" ? {} : { description: job.description }),
        parameters: [IDEMPOTENCY_KEY],
        requestBody: {
          ...jsonBody({
            type: "object",
            properties: { arguments: schemaRef(name), ...options },
            ...(isNeeded ? { required: ["arguments"] } : {}),
            additionalProperties: false,
          }),
          required: isNeeded,
        },
        responses,
      },
    };
  });
}

const PREFIX = "Arguments_";

/** A name for the arguments of a kind, which may have characters that names lack. */
function freeName(kind: string, names: Set<string>): string {
  const plain = PREFIX + kind.replaceAll(/[^A-Za-z0-9]/g, "_");
  let name = plain;
  for (let index = 2; names.has(name); index += 1) name = `${plain}_${index}`;
  names.add(name);
  return name;
}

/** The schema of a job's arguments, and of the types in it. */
function argumentsOf({ kind, signatureJson }: Job, name: string): Record<string, JsonSchema> {
  // A brief list of jobs omits it.
  const signature = signatureJson === "" ? null : decodeSignature(JSON.parse(signatureJson));
  if (signature === null) return { [name]: { anyOf: [{ type: "array" }, { type: "object" }] } };
  const { $schema: _, $defs = {}, ...schema } = signatureSchema(kind, signature);
  const own = Object.entries($defs as Record<string, JsonSchema>);
  const renamed = new Map(own.map(([inner], index) => [
    DEFINITIONS + encodeURIComponent(inner.replaceAll("~", "~0").replaceAll("/", "~1")),
    `${name}.${inner.replaceAll(/[^A-Za-z0-9]/g, "_")}${index === 0 ? "" : index + 1}`,
  ]));
  const names = [name, ...renamed.values()];
  const all = [schema, ...own.map(([, inner]) => inner)];
  return Object.fromEntries(names.map((each, index) => [each, refer(all[index], renamed)]));
}

/** A schema whose references are to schemas of the document. */
function refer(schema: unknown, names: ReadonlyMap<string, string>): JsonSchema {
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== "object" || value === null) return value;
    const { $ref } = value as { readonly $ref?: unknown };
    const known = typeof $ref === "string" ? names.get($ref) : undefined;
    const members = Object.entries(value).map(([key, member]) => [key, copy(member)]);
    return { ...Object.fromEntries(members), ...(known === undefined ? {} : schemaRef(known)) };
  };
  return copy(schema) as JsonSchema;
}
