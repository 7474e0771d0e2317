import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Cut,
  fillNode,
  fillText,
  parseTemplate,
  PLACEHOLDERS,
  type PlaceholderValues,
  When,
} from "../../../src/core/notices/template.ts";

const values = (changes: Partial<PlaceholderValues>): PlaceholderValues => ({
  ...Object.fromEntries(PLACEHOLDERS.map((name) => [name, ""])) as PlaceholderValues,
  ...changes,
});
const asIs = (character: string) => character;

test("parseTemplate() tells which placeholder does not exist", () => {
  assert.throws(() => parseTemplate("{{titel}}"), {
    message: '"{{titel}}" is not a placeholder',
    hint: 'Did you mean "title"?',
  });
  assert.throws(() => parseTemplate('{"a": "{{x y}}"}'), /"\{\{x y\}\}" is not a placeholder/);
});

test("parseTemplate() refuses JSON with placeholders outside of strings", () => {
  assert.throws(() => parseTemplate('{"a": {{title}}}'), /begins like JSON, but is not JSON/);
  assert.equal(parseTemplate("{{title}}").type, "text");
  assert.equal(parseTemplate('["{{title}}"]').type, "json");
});

test("parseTemplate() refuses a template that is too long", () => {
  assert.equal(parseTemplate("x".repeat(20_000)).type, "text");
  assert.throws(() => parseTemplate("x".repeat(20_001)), /wanted at most 20000/);
});

test("fillText() does not fill placeholders that a value contains", () => {
  assert.equal(
    fillText("a {{title}} b", values({ title: "{{host}}", host: "h" }), asIs),
    "a {{host}} b",
  );
});

test("fillNode() leaves out what is empty, and keeps everything else", () => {
  const node = {
    a: new When("output", "x{{output}}"),
    b: [new When("title", "{{title}}"), 1, null, true],
  };
  assert.deepEqual(fillNode(node, values({ title: "t" }), asIs), { b: ["t", 1, null, true] });
});

test("fillNode() cuts values to the length that is left, but not the template's own text", () => {
  const fill = (text: string, max: number, given: Partial<PlaceholderValues>) =>
    fillNode(new Cut(text, max), values(given), asIs);
  assert.equal(fill("<{{title}}>", 5, { title: "abc" }), "<abc>");
  assert.equal(fill("<{{title}}>", 5, { title: "abcd" }), "<ab…>");
  assert.equal(fill("<{{title}}>", 2, { title: "abcd" }), "<>");
  assert.equal(fill("<{{title}}>", 3, { title: "abcd" }), "<…>");
  assert.equal(fill("{{title}}-{{host}}", 6, { title: "abc", host: "defg" }), "abc-d…");
});

test("fillNode() keeps the end of an output, and whole characters", () => {
  const fill = (max: number, output: string) =>
    fillNode(new Cut("{{output}}", max), values({ output }), asIs);
  assert.equal(fill(3, "abcdef"), "…ef");
  assert.equal(fill(4, "😀😀😀"), "…😀");
  assert.equal(fillNode(new Cut("{{title}}", 8, "bytes"), values({ title: "ééééé" }), asIs), "éé…");
});

test("fillNode() cuts after the escape, so that no escape is split", () => {
  const escape = (character: string) => character === "&" ? "&amp;" : character;
  assert.equal(fillNode(new Cut("{{title}}", 8), values({ title: "&&&&" }), escape), "&amp;…");
});
