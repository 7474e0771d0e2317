import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import test from "node:test";
import { NativeSpawner } from "../../../src/platform/process/native_spawn.ts";
import { NativePipe } from "../../../src/platform/process/output_pipe.ts";
import { PipeWatch } from "../../../src/platform/process/pipe_watch.ts";
import { until } from "../../support/wait.ts";

const spawner = NativeSpawner.open();
const watch = PipeWatch.open();
const skip = spawner === null || watch === null ? "the C library cannot be called here" : false;

/** A pipe that is watched, and what was read from it. */
class Watched {
  text = "";
  hasEnded = false;
  readonly pipe = new NativePipe("stdout", this, { spawner: spawner!, watch });

  onOutput(_name: "stdout" | "stderr", chunk: Uint8Array): void {
    this.text += new TextDecoder().decode(chunk);
  }

  onPipeEnd(): void {
    this.hasEnded = true;
  }

  write(text: string): void {
    writeSync(this.pipe.writer, text);
  }

  read(text: string): Promise<void> {
    return until(`"${text}" was read`, () => this.text === text);
  }

  ended(): Promise<void> {
    return until("the pipe has ended", () => this.hasEnded);
  }
}

test("drain() reads no more of a program that prints without end once it is to pause", {
  skip,
}, async () => {
  let chunks = 0;
  const pipe: NativePipe = new NativePipe("stdout", {
    onOutput() {
      chunks += 1;
      // The program writes again meanwhile.
      while (!pipe.hasMore);
      pipe.pause();
    },
    onPipeEnd() {},
  }, { spawner: spawner!, watch });
  const program = spawn("yes", { stdio: ["ignore", pipe.writer, "ignore"] });
  try {
    await until("it prints", () => pipe.hasMore);
    pipe.drain();
    assert.equal(chunks, 1);
  } finally {
    program.kill("SIGKILL");
    closeSync(pipe.writer);
    pipe.close();
  }
});

test(
  "a pipe is read as data comes, from what it contained before on, to its end",
  { skip },
  async () => {
    const one = new Watched();
    one.write("before ");
    one.pipe.listen();
    assert.equal(one.text, "before ");
    one.write("first ");
    await one.read("before first ");
    one.write("second");
    await one.read("before first second");
    closeSync(one.pipe.writer);
    await one.ended();
    assert.equal(one.pipe.isEnded, true);
  },
);

test("of many pipes that are written at once, all are read", { skip }, async () => {
  const all = Array.from({ length: 300 }, () => new Watched());
  for (const { pipe } of all) pipe.listen();
  for (const [index, each] of all.entries()) each.write(`line ${index}`);
  await Promise.all(all.map((each, index) => each.read(`line ${index}`)));
  for (const { pipe } of all) closeSync(pipe.writer);
  await Promise.all(all.map((each) => each.ended()));
});

test("a paused pipe keeps what comes until it is resumed", { skip }, async () => {
  const one = new Watched();
  one.pipe.listen();
  one.pipe.pause();
  one.write("kept ");
  const other = new Watched();
  other.pipe.listen();
  other.write("seen");
  await other.read("seen");
  assert.equal(one.text, "");
  one.pipe.resume();
  assert.equal(one.text, "kept ");
  one.write("more");
  await one.read("kept more");
  for (const { pipe } of [one, other]) closeSync(pipe.writer);
  await Promise.all([one.ended(), other.ended()]);
});

test("a pipe with much output continues as a stream, without a gap", { skip }, async () => {
  const one = new Watched();
  one.pipe.listen();
  const block = "0123456789abcdef".repeat(2_048);
  for (let count = 1; count <= 8; count++) {
    one.write(block);
    await until("the block was read", () => one.text.length === count * block.length);
  }
  assert.equal(one.text, block.repeat(8));
  one.write("last");
  closeSync(one.pipe.writer);
  await one.ended();
  assert.equal(one.text.slice(-4), "last");
});

test("a closed pipe calls nobody", { skip }, async () => {
  const [one, other] = [new Watched(), new Watched()];
  for (const { pipe } of [one, other]) pipe.listen();
  one.pipe.close();
  assert.equal(one.hasEnded, true);
  other.write("seen");
  await other.read("seen");
  assert.equal(one.text, "");
  closeSync(one.pipe.writer);
  closeSync(other.pipe.writer);
  await other.ended();
});
