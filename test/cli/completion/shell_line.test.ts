import assert from "node:assert/strict";
import test from "node:test";
import { readShellLine } from "../../../src/cli/completion/shell_line.ts";

/** What bash splits a line at. */
const SEPARATORS = ` \t\n"'@><=;|&(:`;

/** A line of bash, up to the cursor. */
function bash(line: string, separators = SEPARATORS) {
  return readShellLine("bash", `${separators}\0${line}\0`)!;
}

test("readShellLine() reads a JSON array of texts only", () => {
  const words = (text: string) => readShellLine("line", text)!.words;
  assert.deepEqual(words('["a","b c"]'), ["a", "b c"]);
  for (const text of ["", "x", "{}", "[1]", "null", JSON.stringify(Array(2_000).fill(""))]) {
    assert.deepEqual(words(text), [], text.slice(0, 20));
  }
});

test("readShellLine() reads no unknown shell, and nothing that a script does not send", () => {
  for (const [shell, input] of [["csh", ""], ["bash", "jobctl"], ["zsh", "a\0".repeat(2_000)]]) {
    assert.equal(readShellLine(shell!, input!), null);
  }
});

for (
  const [line, words] of [
    ["jobctl li", ["jobctl", "li"]],
    ["jobctl  list\t", ["jobctl", "list", ""]],
    ["jobctl --state=Co a:b", ["jobctl", "--state=Co", "a:b"]],
    ["jobctl 'a b'\\''c' \"d \\\" e\" f\\ g", ["jobctl", "a b'c", 'd " e', "f g"]],
    ["jobctl 'a b", ["jobctl", "a b"]],
    ['jobctl "a \\', ["jobctl", "a \\"]],
    ["jobctl a\\", ["jobctl", "a"]],
    ["jobctl '' ''", ["jobctl", "", ""]],
  ] as const
) {
  test(`readShellLine() reads the words of ${line}`, () => {
    assert.deepEqual(bash(line).words, words);
  });
}

test("readShellLine() marks words that only the shell could expand", () => {
  const line = 'jobctl $a \'$b\' "$c" \\$d `e` "\\$f" "`g`"';
  assert.deepEqual([...bash(line).unclear!], [1, 3, 5, 7]);
  const zsh = readShellLine("zsh", line.replaceAll(" ", "\0") + "\0")!;
  assert.deepEqual([...zsh.unclear!], [1, 3, 5, 7]);
  const fish = readShellLine("fish", "jobctl\0--token\0(cat x)\0my job\0'my j\0")!;
  assert.deepEqual(fish.words, ["jobctl", "--token", "(cat x)", "my job", "my j"]);
  assert.deepEqual([...fish.unclear!], [2]);
});

for (
  const [typed, name, inserted] of [
    ["", "a b", "a\\ b"],
    ["", "$(x)", "\\$\\(x\\)"],
    ["", "größe", "größe"],
    ["'a", "a $b", "a $b"],
    ["'a", "a'b", null],
    ['"a', 'a $`"\\', 'a \\$\\`\\"\\\\'],
    ['"a', "a!", null],
    ["a'b", "ab c", null],
    ["$x", "$xy", null],
    ["no", "node:x", "node:x"],
    ["node:", "node:x y", "x\\ y"],
    ["no\\de:", "node:x", null],
    ["a=b:", "a=b:c", "c"],
  ] as const
) {
  test(`bash puts ${inserted} in place of ${typed} for ${name}`, () => {
    assert.equal(bash(`jobctl get job ${typed}`).insert!(name, ""), inserted);
  });
}

test("bash inserts an option with its value if it does not split there", () => {
  const insert = (typed: string, separators: string) =>
    bash(`jobctl run ${typed}`, separators).insert!("a:b c", "--x=");
  assert.equal(insert("--x=", SEPARATORS), "a:b\\ c");
  assert.equal(insert("--x=", " \t\n:"), "--x=a:b\\ c");
  assert.equal(insert("--x=a:", " \t\n:"), "b\\ c");
  assert.equal(insert("--x=a:", " \t\n"), "--x=a:b\\ c");
  assert.equal(insert("--x='a", " \t\n"), "a:b c");
});
