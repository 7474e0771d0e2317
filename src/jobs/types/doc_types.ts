import { orElse } from "../../core/or_else.ts";
import { parse } from "@babel/parser";
import type { Comment, Node, Statement } from "@babel/types";

/** A tag of a doc comment: `@param {number} [x=1] the first`. */
export interface DocTag {
  readonly tag: string;
  /** Text of the type in braces, null without one. */
  readonly type: string | null;
  readonly name: string;
  /** True if the name is in brackets. */
  readonly isOptional: boolean;
  /** Text behind `=` in the brackets. */
  readonly defaultText?: string;
  readonly text: string;
}

/** Most characters of a doc comment that are read for types. */
const COMMENT_LENGTH_MAX = 20_000;

/** Text of a doc comment without its stars; null for any other comment. */
export function docText(comment: Comment): string | null {
  if (comment.type !== "CommentBlock" || !comment.value.startsWith("*")) return null;
  const lines = comment.value.slice(1).split(/\r?\n/);
  return lines.map((line) => line.replace(/^\s*\* ?/, "").trimEnd()).join("\n").trim();
}

/** The tags of a doc comment's text, in order. */
export function docTags(text: string): readonly DocTag[] {
  if (text.length > COMMENT_LENGTH_MAX) return [];
  const tags: DocTag[] = [];
  for (const part of `\n${text}`.split(/\n[^\S\n]*@/).slice(1)) {
    const [, tag = "", rest = ""] = /^(\w+)\s*([\s\S]*)$/.exec(part) ?? [];
    tags.push(tagOf(tag, rest));
  }
  return tags;
}

function tagOf(tag: string, content: string): DocTag {
  let rest = content;
  let type: string | null = null;
  if (rest.startsWith("{")) {
    const end = closingBrace(rest);
    if (end > 0) {
      type = rest.slice(1, end).trim();
      rest = rest.slice(end + 1).trimStart();
    }
  }
  const optional = /^\[\s*([\w$.]+)\s*(?:=([^\]]*))?\]\s*-?\s*([\s\S]*)$/.exec(rest);
  if (optional !== null) {
    const [, name = "", value, doc = ""] = optional;
    const defaultText = value?.trim() || undefined;
    return { tag, type, name, isOptional: true, defaultText, text: oneLine(doc) };
  }
  const [, name = "", doc = ""] = /^([\w$.]*)\s*-?\s*([\s\S]*)$/.exec(rest) ?? [];
  return { tag, type, name, isOptional: false, text: oneLine(doc) };
}

function oneLine(text: string): string {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "").join(" ");
}

function closingBrace(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

/** A type in TypeScript, from JSDoc's own forms: `?number`, `*`, `Array.<number>`, `number=`. */
function plainType(text: string): string {
  let type = text.trim().replace(/=$/, "").replace(/^\.\.\./, "").replaceAll(".<", "<");
  if (/^[?!]/.test(type)) type = type.startsWith("?") ? `${type.slice(1)} | null` : type.slice(1);
  if (type === "*" || type === "") return "unknown";
  type = type.replace(/^Object<\s*([^,<>]+),/, "Record<$1,");
  return /^[Oo]bject$/.test(type) ? "object" : type;
}

/**
 * The statements of a TypeScript snippet in a comment; none if it cannot be parsed.
 *
 * The snippet is the file name of its nodes, so that their text can be found.
 */
function parseSnippet(snippet: string, line: number): readonly Statement[] {
  return orElse(() =>
    parse(snippet, {
      sourceType: "module",
      plugins: ["typescript"],
      sourceFilename: snippet,
      startLine: line,
      startColumn: 0,
      startIndex: 0,
    }).program.body, []);
}

/** The type of a tag; null if it is missing or cannot be parsed. */
export function docType(tag: DocTag, line: number): Node | null {
  if (tag.type === null) return null;
  const [statement] = parseSnippet(`type T = ${plainType(tag.type)};`, line);
  return statement?.type === "TSTypeAliasDeclaration" ? statement.typeAnnotation : null;
}

/** The type of `@param {Object} options` whose members have tags too; null without such tags. */
export function membersType(tag: DocTag, members: readonly DocTag[], line: number): Node | null {
  if (members.length === 0 || !/^(?:[Oo]bject)?$/.test(tag.type ?? "")) return null;
  const own = members.map((member) => ({ ...member, name: member.name.slice(tag.name.length + 1) }))
    .filter(({ name }) => !name.includes("."));
  return docType({ ...tag, type: membersText(own) }, line);
}

/** True if the type of a tag makes it optional, as in `{number=}`. */
export function isOptionalTag(tag: DocTag): boolean {
  return tag.isOptional || tag.type?.endsWith("=") === true;
}

/**
 * The declarations of doc comments as TypeScript statements: `@typedef` types, and the names of
 * `@import`. Only JavaScript has types there.
 */
export function readDocTypes(
  comments: readonly Comment[],
  language: "ts" | "js",
): readonly Statement[] {
  if (language === "ts") return [];
  const statements: Statement[] = [];
  for (const comment of comments) {
    const text = docText(comment);
    if (text === null || !/@(?:typedef|import)\b/.test(text)) continue;
    const line = comment.loc?.start.line ?? 1;
    for (const [, names] of text.matchAll(/@import\s+([^\n]+)/g)) {
      statements.push(...parseSnippet(`import type ${names};`, line));
    }
    const snippet = typedefText(docTags(text));
    if (snippet !== null) statements.push(...parseSnippet(snippet, line));
  }
  return statements;
}

/** `type Order = { id: number; note?: string };` for a typedef with properties, or null. */
function typedefText(tags: readonly DocTag[]): string | null {
  const typedef = tags.find(({ tag }) => tag === "typedef");
  if (typedef === undefined || !/^[A-Za-z_$][\w$]*$/.test(typedef.name)) return null;
  const properties = tags.filter(({ tag }) => tag === "property" || tag === "prop");
  const isObject = typedef.type === null || /^[Oo]bject$/.test(typedef.type);
  if (!isObject || properties.length === 0) {
    return `type ${typedef.name} = ${plainType(typedef.type ?? "object")};`;
  }
  return `type ${typedef.name} = ${membersText(properties)};`;
}

function membersText(tags: readonly DocTag[]): string {
  const members = tags.map((tag) => {
    const doc = tag.text === "" ? "" : `/** ${tag.text.replaceAll("*/", "* /")} */ `;
    return `${doc}${tag.name}${isOptionalTag(tag) ? "?" : ""}: ${plainType(tag.type ?? "*")}`;
  });
  return `{ ${members.join("; ")} }`;
}
