import { spawnSync } from "node:child_process";
import { copyFileSync, writeSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import type { Context } from "../../../src/core/job/job.ts";

// Jobs for the tests of output: each prints in its own way.

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let ticks = 0;

export default [
  {
    kind: "levels",
    params: "ctx: Context",
    run: (ctx: Context): void => {
      console.log("a %d", 1, { b: [2] });
      ctx.log.debug("first line\nsecond \\n line");
      console.error("c");
      console.debug("d");
      ctx.log.warn("e");
      console.warn("f\ng");
      console.info("");
      console.group("h");
      console.log("i\nj");
      console.groupEnd();
      console.log("k");
    },
  },
  {
    kind: "pieces",
    params: "ctx: Context",
    run: (ctx: Context): void => {
      process.stdout.write("one ");
      console.log("line");
      process.stdout.write("open");
      ctx.log.info("own");
      writeSync(1, "foreign");
      console.log("x".repeat(20_000));
      ctx.log.info("€\n".repeat(8_000));
      process.stdout.end("end\n");
      console.log("after");
    },
  },
  {
    kind: "raw",
    params: "ctx: Context, how: string, file: string",
    run: async (_ctx: Context, how: string, file: string): Promise<void> => {
      if (how === "write") writeSync(1, "one\n");
      if (how === "write to stderr") writeSync(2, "one\n");
      if (how === "copy at once") copyFileSync(file, "/dev/stdout");
      if (how === "copy") await copyFile(file, "/dev/stderr");
      if (how === "child") spawnSync("cat", [file], { stdio: ["ignore", "inherit", "ignore"] });
    },
  },
  {
    kind: "lateTimer",
    run: (): void => {
      setTimeout(() => console.log("late console"), 150);
      setTimeout(() => process.stdout.write("late stream\n"), 150);
      console.log("in time");
    },
  },
  {
    kind: "listen",
    run: async (ms: number): Promise<void> => {
      const timer = setInterval(() => ticks++, 1);
      await sleep(ms);
      clearInterval(timer);
      console.log("listened");
    },
  },
  {
    kind: "lastWords",
    params: "ctx: Context, how: string, lines: number",
    run: (ctx: Context, how: string, lines: number): Promise<never> => {
      for (let index = 0; index < lines; index++) console.log(`line ${index}`);
      ctx.log.error("last log");
      console.error("last words");
      if (how === "exit") process.exit(3);
      if (how === "abort") process.kill(process.pid, "SIGABRT");
      if (how === "kill") process.kill(process.pid, "SIGKILL");
      if (how === "throw") throw new Error("thrown");
      return new Promise(() => setInterval(() => {}, 1_000));
    },
  },
];
