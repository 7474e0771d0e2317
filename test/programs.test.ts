import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { GROUPS, UNPACKED } from "../scripts/programs/list.mjs";
import { readSource, readSources, type SyntaxNode, visit } from "./support/source_tree.ts";

/** Programs that tests run are in scripts/programs/list.mjs, so that `npm test` installs them. */

const LISTED = new Set(Object.values(GROUPS).flatMap((packages) => Object.values(packages).flat()));
/** Programs that `npm test` itself needs. */
const OF_THE_CALLER = ["node", "npm"];
/** Programs that a test looks for because the host decides what is right. */
const OF_THE_HOST = ["/usr/bin/apt-get", "/usr/sbin/sendmail"];
/** A program that a test names because it is nowhere. */
const NOWHERE = /^no-such-/;
const SPAWN = ["execFile", "execFileSync", "spawn", "spawnSync"];
const IN_SYSTEM = /^(?:\/usr)?\/s?bin\/[\w.-]+$/;

/** Text of a literal, or of the constant of this file that an identifier names. */
function textOf(node: unknown, constants: ReadonlyMap<string, string>): string | null {
  const { type, value, name, quasis, expression } = node as SyntaxNode;
  if (type === "StringLiteral") return value as string;
  if (type === "TSAsExpression") return textOf(expression, constants);
  if (type === "TemplateLiteral") {
    const parts = quasis as readonly { readonly value: { readonly cooked: string } }[];
    return parts.length === 1 ? parts[0]!.value.cooked : null;
  }
  return type === "Identifier" ? constants.get(name as string) ?? null : null;
}

/** The name of what is called, also as `child.spawn` or `promisify(execFile)`. */
function calleeOf({ type, name, property, ...others }: SyntaxNode): string | null {
  if (type === "Identifier") return name as string;
  if (type === "CallExpression" && calleeOf(others.callee as SyntaxNode) === "promisify") {
    return calleeOf((others.arguments as readonly SyntaxNode[])[0]!);
  }
  const member = type === "MemberExpression" ? calleeOf(property as SyntaxNode) : null;
  return member !== null && [...SPAWN, "execSync"].includes(member) ? member : null;
}

/** The problem of one call, such as `spawn("curl")`. */
function problemOf(callee: string, name: string): string | null {
  // Of a line for the shell, its first word.
  if (callee === "execSync") return problemOf("spawn", name.trim().split(/\s/, 1)[0]!);
  if (SPAWN.includes(callee)) {
    if (name.includes("/") && !IN_SYSTEM.test(name) || NOWHERE.test(name)) return null;
    if (OF_THE_CALLER.includes(name) || LISTED.has(name) || LISTED.has(basename(name))) return null;
    return `runs ${name}, which is not in scripts/programs/list.mjs`;
  }
  if (callee === "unpackedFolder" && !UNPACKED.includes(name)) {
    return `asks for the package ${name}, which is not in scripts/programs/list.mjs`;
  }
  if (["programPath", "skipWithout"].includes(callee) && !LISTED.has(name)) {
    return `asks for ${name}, which is not in scripts/programs/list.mjs`;
  }
  if (callee === "existsSync" && IN_SYSTEM.test(name) && !OF_THE_HOST.includes(name)) {
    return `looks for ${name} itself: use skipWithout() or programPath()`;
  }
  return null;
}

function problemsIn(program: SyntaxNode): string[] {
  const constants = new Map<string, string>();
  visit(program, ({ type, id, init }) => {
    if (type !== "VariableDeclarator" || init === null) return;
    const text = textOf(init, new Map());
    if (text !== null) constants.set((id as SyntaxNode).name as string, text);
  });
  const problems: string[] = [];
  visit(program, (node) => {
    if (node.type !== "CallExpression") return;
    const callee = calleeOf(node.callee as SyntaxNode);
    if (callee === null) return;
    const asked = node.arguments as readonly SyntaxNode[];
    // Only skipWithout() takes several programs.
    for (const argument of callee === "skipWithout" ? asked : asked.slice(0, 1)) {
      const text = textOf(argument, constants);
      const problem = text === null ? null : problemOf(callee, text);
      if (problem !== null) problems.push(`${node.loc.start.line}: ${problem}`);
    }
  });
  return problems;
}

test("tests run only programs that npm test installs", () => {
  const files = readSources("test");
  const problems = files.flatMap(({ path, program }) =>
    problemsIn(program!).map((problem) => `${path}:${problem}`)
  );
  assert.deepEqual(problems, []);
});

test("a test that asks for another program is found", () => {
  const wrong = [
    'spawnSync("jq", []);',
    'child.spawnSync("jq", []);',
    'await promisify(execFile)("jq", []);',
    'const JQ = "jq" as const; spawn(JQ, []);',
    "spawn(`jq`, []);",
    'execSync("jq . x.json");',
    'const JQ = "/usr/bin/jq"; spawn(JQ, []);',
    'test("x", { skip: skipWithout("curl", "jq") }, () => {});',
    'unpackedFolder("jq");',
    'existsSync("/usr/bin/curl");',
  ];
  const right = 'spawn("curl", []); spawn("./jq", []); spawnSync(JOBCTL, []); skipWithout("tmux");';
  for (const text of wrong) {
    assert.equal(problemsIn(readSource("test/x.test.ts", text).program!).length, 1, text);
  }
  assert.deepEqual(problemsIn(readSource("test/x.test.ts", right).program!), []);
});
