// Writes the message model: each message, enumeration, method and route of the contract as a short
// text. `src/rpc/model` reads a text when it is first needed.
import { writeFileSync } from "node:fs";
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  getOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { snakeCase } from "../../src/core/text/snake_case.ts";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
} from "../../src/rpc/gen/health_pb.ts";
import { file_job, http, type HttpRule, JobService } from "../../src/rpc/gen/job_pb.ts";

const LETTERS: Readonly<Partial<Record<ScalarType, string>>> = {
  [ScalarType.STRING]: "s",
  [ScalarType.BOOL]: "b",
  [ScalarType.INT32]: "i",
  [ScalarType.SINT32]: "z",
  [ScalarType.INT64]: "l",
  [ScalarType.DOUBLE]: "d",
  [ScalarType.BYTES]: "y",
};
/** Details of an error, which have no .proto file here. */
const STATUS = {
  "google.rpc.Status": "code 1 i -,message 2 s -,details 3 google.protobuf.Any* -",
  "google.protobuf.Any": "typeUrl 1 s -,value 2 y -",
  "google.rpc.BadRequest": "fieldViolations 1 google.rpc.BadRequest.FieldViolation* -",
  "google.rpc.BadRequest.FieldViolation": "field 1 s -,description 2 s -",
};
const TIME = "google.protobuf.Timestamp";

const messages = new Map<string, DescMessage>();
const choices = new Map<string, DescEnum>();

function add(message: DescMessage): void {
  if (messages.has(message.typeName)) return;
  messages.set(message.typeName, message);
  for (const field of message.fields) {
    if (field.enum) choices.set(field.enum.typeName, field.enum);
    if (field.message && field.message.typeName !== TIME) add(field.message);
  }
}

function isJson({ name, scalar, fieldKind }: DescField): boolean {
  return fieldKind === "scalar" && scalar === ScalarType.STRING && name.endsWith("_json");
}

function typeOf(field: DescField): string {
  if (field.message?.typeName === TIME) return "t";
  if (isJson(field)) return "j";
  const type = field.message?.typeName ?? field.enum?.typeName ?? LETTERS[field.scalar!];
  if (type === undefined) throw new TypeError(`The model has no type of ${String(field)}`);
  return type;
}

/**
 * Its name in JSON: as in the contract; a `json_name` given there in snake case; without the end
 * that says that it is JSON text or has details. "-" if such a field has the same value.
 */
function jsonNameOf({ name, jsonName, parent, ...field }: DescField): string {
  if (parent.fields.some((other) => [`${name}_json`, `${name}_detail`].includes(other.name))) {
    return "-";
  }
  if (isJson({ name, jsonName, parent, ...field } as DescField)) return name.slice(0, -5);
  if (name.endsWith("_detail")) return name.slice(0, -"_detail".length);
  const camelCase = name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return jsonName === camelCase ? name : snakeCase(jsonName);
}

function fieldText(field: DescField): string {
  const { localName, name, number, proto, fieldKind, oneof } = field;
  if (fieldKind === "map" || snakeCase(localName) !== name) {
    throw new TypeError(`The model has no form for ${String(field)}`);
  }
  const isOptional = proto.proto3Optional || oneof !== undefined || field.message !== undefined;
  const mark = fieldKind === "list" ? "*" : isOptional ? "?" : "";
  return `${localName} ${number} ${typeOf(field)}${mark} ${jsonNameOf(field)}`;
}

/** The words of an enumeration: its names in lower case, without what they have in common. */
function choiceLine({ typeName, name, values }: DescEnum): string {
  const start = `${snakeCase(name).slice(1)}_`;
  const words = values.filter(({ number }) => number !== 0).map((value) => {
    const word = value.name.toLowerCase().replace(start, "");
    return `${value.number}: ${JSON.stringify(word)}`;
  });
  return `  ${JSON.stringify(typeName)}: { ${words.join(", ")} },`;
}

const methods = JobService.methods.map(({ name, localName, input, output, methodKind }) => {
  add(input);
  add(output);
  const mark = methodKind === "unary" ? "" : "*";
  return `  ${localName}: "${name} ${input.typeName} ${output.typeName}${mark}",`;
});
add(HealthCheckRequestSchema);
add(HealthCheckResponseSchema);

function routeLine(localName: string, { pattern, body, when, set }: HttpRule): string {
  const parts = [localName, pattern.case!.toUpperCase(), pattern.value];
  if (body !== "") parts.push(`body=${body}`);
  if (when !== "") parts.push(`when=${when}`);
  if (set !== "") parts.push(`set=${set}`);
  return `  ${JSON.stringify(parts.join(" "))},`;
}

const routes = JobService.methods.flatMap((method) => {
  const rule = getOption(method, http);
  return rule.pattern.case === undefined
    ? []
    : [rule, ...rule.additionalBindings].map((one) => routeLine(method.localName, one));
});

const lines = Object.entries(Object.fromEntries([
  ...[...file_job.messages, ...messages.values()].filter(({ typeName }) => messages.has(typeName))
    .map(({ typeName, fields }) => [typeName, fields.map(fieldText).join(",")]),
  ...Object.entries(STATUS),
])).map(([name, text]) => `  ${JSON.stringify(name)}: ${JSON.stringify(text)},`);

writeFileSync(
  new URL("../../src/rpc/gen/messages.ts", import.meta.url),
  [
    "// @generated by scripts/generate/messages.ts from the .proto files",
    "",
    "/**",
    " * The fields of each message: name in code, number, type, and name in JSON; `-` is not in JSON,",
    " * `?` is optional, `*` a list.",
    " */",
    "export const MESSAGES: Readonly<Record<string, string>> = {",
    ...lines,
    "};",
    "",
    "/** The words of each enumeration. */",
    "export const CHOICES: Readonly<Record<string, Readonly<Record<number, string>>>> = {",
    ...[...choices.values()].map(choiceLine),
    "};",
    "",
    `/** The methods of ${JobService.typeName}: name, request and response; \`*\` is a stream. */`,
    "export const METHODS = {",
    ...methods,
    "} as const;",
    "",
    "/** The routes over HTTP: method, verb, path and what else the contract says about it. */",
    "export const ROUTES: readonly string[] = [",
    ...routes,
    "];",
    "",
  ].join("\n"),
);
