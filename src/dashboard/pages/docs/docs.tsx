import type { JSX } from "preact";
import { apiUrl } from "../../api/client.ts";
import { useResource } from "../../api/resource.ts";
import { place } from "../../state/router.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import { CopyButton } from "../../parts/command.tsx";
import { TextSearch } from "../../parts/filters.tsx";
import { Empty, Loaded } from "../../parts/notes.tsx";
import { Page, Section } from "../../parts/page.tsx";
import type { FieldSchema } from "../../forms/field_values.ts";

/** Deepest nesting that is written out. */
const DEPTH_MAX = 4;

/** Name of what a reference means: its last part. */
function refName(ref: string): string {
  return ref.split("/").at(-1) ?? ref;
}

function union(parts: readonly FieldSchema[], depth: number): string {
  return parts.map((part) => schemaText(part, depth)).join(" | ");
}

function objectText(schema: FieldSchema, depth: number): string {
  const { properties = {}, required = [], additionalProperties: rest } = schema;
  const entries = Object.entries(properties);
  if (entries.length === 0) {
    return typeof rest === "object" ? `{ [name: string]: ${schemaText(rest, depth)} }` : "object";
  }
  if (depth >= DEPTH_MAX) return "{ … }";
  const indent = "  ".repeat(depth + 1);
  const lines = entries.map(([name, value]) => {
    const note = value.description === undefined ? "" : `  // ${value.description.split("\n")[0]}`;
    const mark = required.includes(name) ? "" : "?";
    return `${indent}${name}${mark}: ${schemaText(value, depth + 1)}${note}`;
  });
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

/** A schema in the notation of types. */
function schemaText(schema: FieldSchema | boolean, depth = 0): string {
  if (typeof schema === "boolean") return "any";
  const { $ref, type, items, enum: values, anyOf, oneOf, allOf, format } = schema;
  if ($ref !== undefined) return refName($ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (values !== undefined) return values.map((one) => JSON.stringify(one)).join(" | ");
  const parts = anyOf ?? oneOf;
  if (parts !== undefined) return union(parts, depth);
  if (allOf !== undefined) return allOf.map((part) => schemaText(part, depth)).join(" & ");
  if (Array.isArray(type)) return (type as readonly string[]).join(" | ");
  if (type === "array") {
    const element = items === undefined ? "any" : schemaText(items, depth);
    return /[ |]/.test(element) && !element.startsWith("{") ? `(${element})[]` : `${element}[]`;
  }
  if (type === "object" || schema.properties !== undefined) return objectText(schema, depth);
  if (typeof type !== "string") return "any";
  return format === undefined ? type : `${type} (${format})`;
}

interface ApiContent {
  readonly schema?: FieldSchema;
}

interface ApiParameter {
  readonly $ref?: string;
  readonly name?: string;
  readonly in?: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: FieldSchema;
}

interface ApiBody {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Readonly<Record<string, ApiContent>>;
}

interface ApiOperation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly ApiParameter[];
  readonly requestBody?: ApiBody;
  readonly responses?: Readonly<Record<string, ApiBody>>;
}

type ApiPath = Readonly<Record<string, ApiOperation>> & {
  readonly parameters?: readonly ApiParameter[];
};

/** A description of the API: the shown part of OpenAPI 3.1. */
interface OpenApi {
  readonly info?: {
    readonly title?: string;
    readonly description?: string;
    readonly version?: string;
  };
  readonly paths?: Readonly<Record<string, ApiPath>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, FieldSchema>> };
}

interface Listed {
  readonly method: string;
  readonly path: string;
  readonly operation: ApiOperation;
}

const METHODS = ["get", "post", "put", "patch", "delete"];

function operationsOf({ paths = {} }: OpenApi): readonly Listed[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => {
      const own = item[method]!;
      const shared = item.parameters ?? [];
      const operation = { ...own, parameters: [...shared, ...own.parameters ?? []] };
      return { method, path, operation };
    })
  );
}

function groupOf({ operation, path }: Listed): string {
  return operation.tags?.[0] ?? path.split("/")[3] ?? "other";
}

function bodySchema(body: ApiBody | undefined): FieldSchema | undefined {
  return Object.values(body?.content ?? {})[0]?.schema;
}

function Schema({ schema, label }: {
  readonly schema: FieldSchema;
  readonly label: string;
}): JSX.Element {
  return (
    <pre class="schema" tabIndex={0} role="region" aria-label={label}>{schemaText(schema)}</pre>
  );
}

function Parameters({ parameters }: {
  readonly parameters: readonly ApiParameter[];
}): JSX.Element | null {
  const named = parameters.filter(({ name }) => name !== undefined);
  if (named.length === 0) return null;
  return (
    <>
      <h3>Parameters</h3>
      <dl class="facts">
        {named.map(({ name, in: where, required, schema, description }) => (
          <div key={`${where} ${name}`}>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>
              <code class="faint">{schema === undefined ? "any" : schemaText(schema)}</code>{" "}
              <span class="hint">{`${where}${required === true ? ", required" : ""}`}</span>
              {description !== undefined && <p>{description}</p>}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

/** A command line that calls an operation. */
function curlText({ method, path, operation }: Listed): string {
  const url = new URL(apiUrl(path.replace(/^.*\/api\/v1/, "")), location.href).href;
  const words = ["curl", ...(method === "get" ? [] : ["-X", method.toUpperCase()])];
  if (bodySchema(operation.requestBody) !== undefined) {
    words.push("-H", "content-type: application/json", "-d", "{}");
  }
  return [...words, decodeURI(url)].map(shellWord).join(" ");
}

function Operation({ listed }: { readonly listed: Listed }): JSX.Element {
  const { method, path, operation } = listed;
  const body = bodySchema(operation.requestBody);
  const responses = Object.entries(operation.responses ?? {});
  const curl = curlText(listed);
  return (
    <details class="operation">
      <summary data-row>
        <span class={`method method-${method}`}>{method.toUpperCase()}</span>
        <code>{path}</code>
        <span class="hint">{operation.summary}</span>
      </summary>
      <div class="operation-body">
        {operation.description !== undefined && <p>{operation.description}</p>}
        <div class="command">
          <code>{curl}</code>
          <CopyButton text={curl} label="Copy the command" />
        </div>
        <Parameters parameters={operation.parameters ?? []} />
        {body !== undefined && (
          <>
            <h3>Body</h3>
            <Schema schema={body} label="Body" />
          </>
        )}
        {responses.map(([status, response]) => {
          const schema = bodySchema(response);
          return (
            <div key={status}>
              <h3>
                {status} <span class="hint">{response.description}</span>
              </h3>
              {schema !== undefined && <Schema schema={schema} label={`Response ${status}`} />}
            </div>
          );
        })}
      </div>
    </details>
  );
}

function matches({ method, path, operation }: Listed, text: string): boolean {
  const whole = `${method} ${path} ${operation.summary ?? ""} ${operation.operationId ?? ""}`;
  return whole.toLowerCase().includes(text.toLowerCase());
}

function Shown({ api, text }: { readonly api: OpenApi; readonly text: string }): JSX.Element {
  const groups = new Map<string, Listed[]>();
  for (const listed of operationsOf(api)) {
    if (!matches(listed, text)) continue;
    const name = groupOf(listed);
    groups.set(name, [...groups.get(name) ?? [], listed]);
  }
  const schemas = Object.entries(api.components?.schemas ?? {});
  return (
    <>
      {groups.size === 0 && <Empty title="Nothing matches" />}
      {[...groups].map(([name, list]) => (
        <Section key={name} title={name}>
          {list.map((listed) => (
            <Operation key={`${listed.method} ${listed.path}`} listed={listed} />
          ))}
        </Section>
      ))}
      {text === "" && schemas.length > 0 && (
        <Section title="Types">
          {schemas.map(([name, schema]) => (
            <details key={name} class="operation">
              <summary>
                <code>{name}</code>
              </summary>
              <div class="operation-body">
                <Schema schema={schema} label={name} />
              </div>
            </details>
          ))}
        </Section>
      )}
    </>
  );
}

/** The HTTP API: every operation, including each job's. */
export function DocsPage(): JSX.Element {
  const text = place.value.query.get("text") ?? "";
  const api = useResource<OpenApi>("/openapi.json", {}, { watched: [] });
  return (
    <Page
      title="API"
      about={
        <>
          OpenAPI 3.1, with an operation for each job.{" "}
          <a href={apiUrl("/openapi.json")} data-plain>openapi.json</a>
        </>
      }
      command={["export", "proto"]}
    >
      <TextSearch label="Path or summary" />
      <Loaded from={api}>{(data) => <Shown api={data} text={text} />}</Loaded>
    </Page>
  );
}
