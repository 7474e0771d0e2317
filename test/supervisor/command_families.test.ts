import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { MARKER_VARIABLE } from "../../src/platform/process/descendants.ts";
import { CommandFamilies } from "../../src/supervisor/inside/command_families.ts";
import { until } from "../support/wait.ts";

/** A shell in a session of its own that runs the lines that it reads. */
function startShell(marker: string) {
  const child = spawn("/bin/sh", {
    detached: true,
    env: { PATH: process.env.PATH, [MARKER_VARIABLE]: marker },
    stdio: ["pipe", "pipe", "inherit"],
  });
  return {
    command: { marker, leader: child.pid!, cgroup: null },
    /** @returns what it prints */
    run: async (line: string): Promise<string> => {
      child.stdin.write(`${line}\n`);
      const [chunk] = await once(child.stdout, "data");
      return String(chunk).trim();
    },
    end: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

test("look() finds the processes of commands again, and later ones", async () => {
  if (process.platform !== "linux") return;
  const families = new CommandFamilies();
  const [one, other] = [startShell("one"), startShell("other")];
  const leaders = [one.command.leader, other.command.leader];
  try {
    for (const { command } of [one, other]) families.begin(command);
    const look = () => {
      const found = families.look(new Set([one.command, other.command]));
      return [one, other].map(({ command }) => found.get(command));
    };
    await Promise.all([one.run("echo"), other.run("echo")]);
    assert.deepEqual(look(), leaders.map((leader) => [leader]));
    assert.deepEqual(look(), leaders.map((leader) => [leader]));
    // In a session of its own without the marker, it is known by its parent alone.
    const hidden = Number(await one.run("env -i setsid sleep 60 >/dev/null & echo $!"));
    await until("the hidden one is found", () => look()[0]!.length === 2);
    assert.deepEqual(look(), [[leaders[0], hidden], [leaders[1]]]);
    assert.deepEqual(families.look(new Set([other.command])).size, 1);
    process.kill(hidden, "SIGKILL");
    await one.run("wait; echo");
    assert.deepEqual(look(), leaders.map((leader) => [leader]));
  } finally {
    await Promise.all([one.end(), other.end()]);
  }
});

test("look() no longer counts what a command has left that has ended", async () => {
  if (process.platform !== "linux") return;
  const families = new CommandFamilies();
  const [one, other] = [startShell("one"), startShell("other")];
  try {
    for (const { command } of [one, other]) families.begin(command);
    await Promise.all([one.run("echo"), other.run("echo")]);
    const look = () => families.look(new Set([one.command, other.command]));
    assert.equal(look().get(one.command)!.length, 1);
    families.end([{ command: one.command, isLeft: true }]);
    assert.deepEqual([...look().values()], [[], [other.command.leader]]);
  } finally {
    await Promise.all([one.end(), other.end()]);
  }
});
