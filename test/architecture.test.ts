import assert from "node:assert/strict";
import { test } from "node:test";
import type { SourceFile, SourceImport, SyntaxNode } from "./support/source_tree.ts";
import { readSource, readSources, visit } from "./support/source_tree.ts";

/**
 * What a folder may import: a folder, a file or subfolder of one, only the types of either, or
 * types and what `import()` loads when it is called.
 */
const ARROWS: Readonly<
  Record<
    string,
    { readonly values: string[]; readonly types?: string[]; readonly lazy?: string[] }
  >
> = {
  main: { values: ["cli", "worker", "supervisor", "jobs", "platform", "core"] },
  library: { values: ["core", "platform", "jobs", "store", "worker", "supervisor", "manager"] },
  index: { values: ["library", "manager", "store", "core", "jobs", "platform"] },
  client: { values: ["core", "rpc/client/client.ts", "rpc/gen"] },
  daemon: {
    values: [
      "core",
      "platform",
      "config",
      "jobs",
      "store",
      "worker",
      "supervisor",
      "manager",
      "notices",
      "maintenance",
      "gateway",
      "rpc",
      "tools",
    ],
  },
  core: { values: [] },
  platform: { values: ["core"] },
  config: { values: ["core", "platform"], lazy: ["notices/channels"] },
  jobs: { values: ["core", "platform"] },
  store: { values: ["core", "platform"] },
  maintenance: { values: ["core", "platform", "config", "store"] },
  selftest: { values: ["core", "platform", "store", "conformance"] },
  conformance: { values: ["core", "platform", "store"] },
  testing: { values: ["core", "platform", "store", "worker", "manager", "library"] },
  worker: { values: ["core", "platform", "jobs"] },
  supervisor: {
    values: ["core", "platform", "worker", "jobs/loading/minimal_environment.ts"],
  },
  notices: { values: ["core", "platform", "store/store.ts"] },
  manager: {
    values: ["core", "platform", "store/store.ts", "worker/executor.ts", "notices"],
    types: ["maintenance/step.ts"],
  },
  rpc: {
    values: ["core", "platform", "manager"],
    types: ["store/store.ts", "maintenance/step.ts"],
  },
  http: {
    values: ["core", "platform", "manager", "rpc"],
    types: ["store/store.ts"],
  },
  gateway: {
    values: ["core", "platform", "rpc", "http", "manager", "store/sqlite/reader.ts"],
    types: ["store/store.ts"],
  },
  tools: {
    // Whose the files are that root works on, and reading files that may be something else.
    values: [
      "core",
      "config",
      "jobs",
      "manager",
      "platform/system/accounts.ts",
      "platform/files/trusted_path.ts",
      "platform/files/read_file.ts",
      "platform/files/unwritable.ts",
    ],
    types: ["store/store.ts", "platform", "notices/channels/channel.ts"],
  },
  // For browsers.
  dashboard: { values: ["core"] },
  cli: {
    values: [
      "core",
      "platform",
      "config",
      "daemon/app.ts",
      "daemon/try_start.ts",
      "tools",
      "maintenance",
      "selftest",
      "rpc/client/client.ts",
      "rpc/client/peer_proof.ts",
      "rpc/client/socket_client.ts",
      "rpc/client/connection_info.ts",
      "rpc/gen",
      "rpc/model",
    ],
    types: ["store/store.ts"],
  },
};

/** The folders that may import a package; nobody imports others. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "cron-parser": ["core"],
  "@grpc/grpc-js": ["rpc", "store"],
  "@bufbuild/protobuf": ["rpc", "store", "client"],
  "yargs": ["cli"],
  "yargs-parser": ["cli"],
  "nodemailer": ["notices"],
  "@iarna/toml": ["config"],
  "toml-eslint-parser": ["config"],
  "@babel/parser": ["jobs"],
  // Only types: it is not there at run time.
  "@babel/types": ["jobs"],
  "preact": ["dashboard"],
  "@preact/signals": ["dashboard"],
};

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
/** Functions that may be longer, as `path name`, each with its reason. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};

const VAGUE_NAMES = new Set(["utils", "util", "helpers", "helper", "common", "types", "misc"]);

/**
 * Clock, timers and chance: members of globals, and names that are one whatever they are imported
 * from.
 */
const IMPURE_MEMBERS = new Set([
  "Date.now",
  "Math.random",
  "performance.now",
  "process.hrtime",
  "process.uptime",
  "AbortSignal.timeout",
  "crypto.getRandomValues",
  "crypto.randomUUID",
]);
const IMPURE_NAMES = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "randomUUID",
  "randomBytes",
  "randomInt",
  "randomFillSync",
]);

type Rule = (file: SourceFile) => string[];

function within(path: string, allowed: readonly string[]): boolean {
  return allowed.some((one) => path === one || path.startsWith(`${one}/`));
}

/** `src/store/store.ts` → `store/store.ts`; a file of `src` itself → its name without ending. */
function placeOf(target: string): string {
  const path = target.replace(/^src\//, "");
  return path.includes("/") ? path : path.replace(/\.ts$/, "");
}

function checkArrow(file: SourceFile, found: SourceImport): string | null {
  if (found.target === null || found.target === "package.json") return null;
  const place = placeOf(found.target);
  const rule = ARROWS[file.folder];
  if (rule === undefined) return `${file.path}: no rule for the folder ${file.folder}`;
  if (place.split("/")[0] === file.folder || within(place, rule.values)) return null;
  if (found.isType && within(place, rule.types ?? [])) return null;
  if ((found.isType || found.isLazy) && within(place, rule.lazy ?? [])) return null;
  return `${file.path}:${found.line}: ${file.folder} may not import ${place}`;
}

const arrows: Rule = (file) =>
  file.imports.map((found) => checkArrow(file, found)).filter((text) => text !== null);

const packages: Rule = (file) =>
  file.imports.flatMap((found) => {
    if (found.target !== null) return [];
    const at = `${file.path}:${found.line}: ${file.folder} may not import`;
    if (found.specifier.startsWith("node:")) {
      return file.folder === "core" ? [`${at} ${found.specifier}`] : [];
    }
    const name = found.specifier.split("/").slice(0, found.specifier.startsWith("@") ? 2 : 1);
    return PACKAGES[name.join("/")]?.includes(file.folder) ? [] : [`${at} ${found.specifier}`];
  });

/**
 * Who may load the descriptors of messages and the protobuf library with them: others have the
 * message model, and the daemon and its client start without them.
 */
const DESCRIPTOR_READERS = [
  "src/client.ts",
  "src/rpc/client",
  "src/rpc/server/reflection.ts",
  "src/store/etcd",
];

const descriptors: Rule = ({ path, imports }) =>
  path.includes("/gen/") || within(path, DESCRIPTOR_READERS)
    ? []
    : imports.filter(({ isType, specifier }) => !isType && specifier.endsWith("_pb.ts"))
      .map(({ line, specifier }) => `${path}:${line}: may not load ${specifier}`);

/** Whether an identifier is used as a value here, not as the name of a key, a member or a type. */
function isReference(node: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  if (parent === undefined) return true;
  if (parent.type.startsWith("TS")) return false;
  const isKey = parent.key === node && parent.computed !== true && parent.shorthand !== true;
  const isMember = parent.property === node && parent.computed !== true;
  return !isKey && !isMember && !parent.type.endsWith("Specifier");
}

function impureName(node: SyntaxNode, parent: SyntaxNode | undefined): string | null {
  const object = node.object as SyntaxNode | undefined;
  const property = node.property as SyntaxNode | undefined;
  const callee = node.callee as SyntaxNode | undefined;
  if (node.type === "MemberExpression" || node.type === "OptionalMemberExpression") {
    if (object?.name === "globalThis" && IMPURE_NAMES.has(String(property?.name))) {
      return `globalThis.${property?.name}`;
    }
    const name = `${object?.name}.${property?.name}`;
    return IMPURE_MEMBERS.has(name) ? name : null;
  }
  if (node.type === "NewExpression" && callee?.name === "Date") {
    return (node.arguments as unknown[]).length === 0 ? "new Date()" : null;
  }
  if (node.type === "CallExpression" && callee?.name === "Date") return "Date()";
  if (node.type === "ImportDeclaration" && (node.source as SyntaxNode).value !== undefined) {
    const source = String((node.source as SyntaxNode).value);
    return source.startsWith("node:timers") ? source : null;
  }
  if (node.type !== "Identifier" || !IMPURE_NAMES.has(String(node.name))) return null;
  return isReference(node, parent) ? String(node.name) : null;
}

/** What a browser offers, to the dashboard. */
const BROWSER = "src/dashboard/browser/";

const purity: Rule = (file) => {
  if (file.folder === "platform" || file.path.startsWith(BROWSER)) return [];
  if (file.program === null) return [];
  const found = new Set<string>();
  visit(file.program, (node, parents) => {
    const name = impureName(node, parents.at(-1));
    if (name !== null) found.add(`${file.path}:${node.loc.start.line}: ${name}`);
  });
  return [...found];
};

const runtimes: Rule = (file) => {
  if (file.folder === "platform" || file.program === null) return [];
  const found: string[] = [];
  visit(file.program, (node, parents) => {
    if (node.type !== "Identifier" || (node.name !== "Bun" && node.name !== "Deno")) return;
    if (!isReference(node, parents.at(-1))) return;
    found.push(`${file.path}:${node.loc.start.line}: ${node.name}`);
  });
  return found;
};

const INERASABLE: Readonly<Record<string, string>> = {
  TSEnumDeclaration: "enum",
  TSModuleDeclaration: "namespace",
  TSParameterProperty: "parameter property",
  TSImportEqualsDeclaration: "import =",
  TSExportAssignment: "export =",
};

const erasable: Rule = (file) => {
  const found: string[] = [];
  if (file.program === null) return found;
  visit(file.program, (node) => {
    const name = INERASABLE[node.type];
    if (name !== undefined) found.push(`${file.path}:${node.loc.start.line}: ${name}`);
  });
  return found;
};

const names: Rule = (file) => {
  const name = file.path.split("/").at(-1)!.replace(/\.(test\.)?tsx?$/, "");
  if (VAGUE_NAMES.has(name)) return [`${file.path}: name it after what it holds`];
  return /^[a-z0-9]+(_[a-z0-9]+)*$/.test(name) ? [] : [`${file.path}: file names are snake_case`];
};

const fileLength: Rule = (file) =>
  file.lineCount <= FILE_LINES_MAX
    ? []
    : [`${file.path}: ${file.lineCount} lines, at most ${FILE_LINES_MAX}`];

function isFunction(node: SyntaxNode): boolean {
  return /^(Function|ArrowFunction|Object|Class|ClassPrivate)(Declaration|Expression|Method)$/
    .test(node.type) &&
    node.body !== undefined && node.type !== "ClassDeclaration" &&
    node.type !== "ClassExpression" && node.type !== "ObjectExpression";
}

function functionName(node: SyntaxNode, parent: SyntaxNode | undefined): string {
  for (const named of [node.id, node.key, parent?.id, parent?.key] as (SyntaxNode | undefined)[]) {
    const name = named?.name ?? (named?.id as SyntaxNode | undefined)?.name;
    if (typeof name === "string") return name;
  }
  return "anonymous";
}

function lineSpan(node: SyntaxNode): number {
  return node.loc.end.line - node.loc.start.line + 1;
}

/**
 * Lines of a function without those of the functions in it: a factory is as long as what it does
 * itself.
 */
const functionLength: Rule = (file) => {
  if (file.program === null) return [];
  const own = new Map<SyntaxNode, { lines: number; name: string }>();
  visit(file.program, (node, parents) => {
    if (!isFunction(node)) return;
    own.set(node, { lines: lineSpan(node), name: functionName(node, parents.at(-1)) });
    const outer = own.get(parents.findLast(isFunction) ?? node);
    if (outer !== undefined && outer !== own.get(node)) outer.lines -= lineSpan(node) - 1;
  });
  return [...own].filter(([, { lines, name }]) =>
    lines > FUNCTION_LINES_MAX && !(`${file.path} ${name}` in LONG_FUNCTIONS)
  ).map(([node, { lines, name }]) =>
    `${file.path}:${node.loc.start.line}: ${name} has ${lines} lines, at most ${FUNCTION_LINES_MAX}`
  );
};

/** A literal spread into a literal of the same kind: its members can stand there themselves. */
const packingSpreads: Rule = (file) => {
  if (file.program === null) return [];
  const found: string[] = [];
  visit(file.program, (node, parents) => {
    if (node.type !== "SpreadElement") return;
    const literal = withoutType(node.argument as SyntaxNode);
    const wanted = parents.at(-1)?.type === "ObjectExpression"
      ? "ObjectExpression"
      : "ArrayExpression";
    if (literal.type !== wanted) return;
    found.push(`${file.path}:${node.loc.start.line}: write the members without "..."`);
  });
  return found;
};

/** An expression without what only its type needs. */
function withoutType(node: SyntaxNode): SyntaxNode {
  const isTyped = ["TSAsExpression", "TSSatisfiesExpression", "ParenthesizedExpression"];
  return isTyped.includes(node.type) ? withoutType(node.expression as SyntaxNode) : node;
}

const docstrings: Rule = (file) => {
  const body = (file.program?.body ?? []) as readonly SyntaxNode[];
  return body.flatMap((node) => {
    const isExport = node.type === "ExportNamedDeclaration" && node.declaration ||
      node.type === "ExportDefaultDeclaration";
    if (!isExport) return [];
    const before = (node.leadingComments ?? []) as readonly { type: string; value: string }[];
    const isDocumented = before.some((one) => one.type === "CommentBlock" && one.value[0] === "*");
    return isDocumented ? [] : [`${file.path}:${node.loc.start.line}: export without a docstring`];
  });
};

/** Folders that import each other, in a circle or directly, as `a → b → a`. */
function findCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map<string, Set<string>>();
  for (const file of files) {
    for (const { target } of file.imports) {
      if (target === null || !target.startsWith("src/")) continue;
      const folder = placeOf(target).split("/")[0]!;
      if (folder === file.folder) continue;
      const edges = graph.get(file.folder) ?? new Set();
      graph.set(file.folder, edges.add(folder));
    }
  }
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (folder: string, path: readonly string[]) => {
    if (path.includes(folder)) {
      cycles.push([...path.slice(path.indexOf(folder)), folder].join(" → "));
      return;
    }
    if (done.has(folder)) return;
    for (const next of graph.get(folder) ?? []) walk(next, [...path, folder]);
    done.add(folder);
  };
  for (const folder of graph.keys()) walk(folder, []);
  return cycles;
}

const SOURCES = readSources("src");

const RULES: Readonly<Record<string, Rule>> = {
  "parse": (file) => file.syntaxError === null ? [] : [`${file.path}: ${file.syntaxError}`],
  "import only along the arrows of the design": arrows,
  "import packages only where they belong": packages,
  "load descriptors only for the library and reflection": descriptors,
  "read clock and chance only in platform": purity,
  "name a runtime only in platform": runtimes,
  "hold only erasable syntax": erasable,
  "have names that say what they hold": names,
  "have files of bounded length": fileLength,
  "have functions of bounded length": functionLength,
  "pack no members into spreads": packingSpreads,
  "document every export": docstrings,
};

for (const [name, rule] of Object.entries(RULES)) {
  test(`sources ${name}`, () => assert.deepEqual(SOURCES.flatMap(rule), []));
}

test("sources have no circles between folders", () => assert.deepEqual(findCycles(SOURCES), []));

/** For each rule a file that breaks it and how often. */
const BREAKERS: readonly [name: string, path: string, text: string, count: number][] = [
  ["parse", "src/core/a.ts", "const = 1;", 1],
  ["import only along the arrows of the design", "src/core/a.ts", 'import "../store/store.ts";', 1],
  [
    "import only along the arrows of the design",
    "src/manager/a.ts",
    'import type { A } from "../worker/pool.ts"; type B = import("../cli/b.ts").B; await import("../rpc/a.ts");',
    3,
  ],
  [
    "import only along the arrows of the design",
    "src/rpc/a.ts",
    'import { a } from "../store/store.ts";',
    1,
  ],
  [
    "import only along the arrows of the design",
    "src/config/a.ts",
    'import { a } from "../notices/channels/a.ts"; await import("../notices/channels/a.ts");',
    1,
  ],
  [
    "import packages only where they belong",
    "src/core/a.ts",
    'import "node:fs"; import "yargs/helpers";',
    2,
  ],
  [
    "load descriptors only for the library and reflection",
    "src/http/a.ts",
    'import { JobSchema } from "../rpc/gen/job_pb.ts"; import type { Job } from "../rpc/gen/job_pb.ts";',
    1,
  ],
  [
    "read clock and chance only in platform",
    "src/store/a.ts",
    "Date.now();\nnew Date();\nsetTimeout(f);\nconst r = Math.random;\nrandomUUID();\nf({ setInterval });",
    6,
  ],
  ["name a runtime only in platform", "src/rpc/a.ts", "Bun.gc();", 1],
  [
    "hold only erasable syntax",
    "src/rpc/a.ts",
    "enum A { B }\nclass C { constructor(readonly a: A) {} }",
    2,
  ],
  ["have names that say what they hold", "src/rpc/utils.ts", "", 1],
  ["have names that say what they hold", "src/rpc/fooBar.ts", "", 1],
  ["have files of bounded length", "src/rpc/a.ts", "f();\n".repeat(501), 1],
  [
    "have functions of bounded length",
    "src/rpc/a.ts",
    `const f = () => {\n${"f();\n".repeat(69)}};`,
    1,
  ],
  ["pack no members into spreads", "src/rpc/a.ts", "const a = { ...{ b, c }, d };", 1],
  ["pack no members into spreads", "src/rpc/a.ts", "f(...[1, 2] as const, [...([3])]);", 2],
  [
    "document every export",
    "src/rpc/a.ts",
    "// No.\nexport const a = 1;\n/** Yes. */\nexport const b = 1;",
    1,
  ],
];

for (const [name, path, text, count] of BREAKERS) {
  test(`sources ${name}: the rule finds ${count} in ${path} ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.equal(RULES[name]!(readSource(path, text)).length, count);
  });
}

test("sources pass the rules when what is forbidden is only a key, a type or in a nested function", () => {
  const text = [
    "interface A { setTimeout(): void; randomBytes: number }",
    "clock.setTimeout(f, { setInterval: 1 }); new Date(5);",
    `const f = () => {\n${"f();\n".repeat(40)}const g = () => {\n${"f();\n".repeat(40)}};\n};`,
  ].join("\n");
  const file = readSource("src/store/a.ts", text);
  assert.deepEqual(Object.values(RULES).flatMap((rule) => rule(file)), []);
});

test("findCycles() tells a circle of three folders", () => {
  const files = [["a", "b"], ["b", "c"], ["c", "a"]].map(([from, to]) =>
    readSource(`src/${from}/x.ts`, `import type { X } from "../${to}/x.ts";`)
  );
  assert.deepEqual(findCycles(files), ["a → b → c → a"]);
});
