import { connect } from "node:net";
import type { Attack, Target } from "../attack.ts";
import { flood } from "../connections.ts";
import { endlessly, repeated } from "../frames.ts";

const ANSWER_MS = 5_000;

function http({ httpPort }: Target) {
  return { port: httpPort, host: "127.0.0.1" };
}

/** The status of the response to a request; 0 for none. */
function statusOf(target: Target, request: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(http(target));
    let answer = "";
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => answer += bytes.toString("latin1"));
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0));
    });
    socket.write(request);
  });
}

function request(path: string, headers: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${headers}\r\n`);
}

const LOCAL = "Host: 127.0.0.1\r\n";
const FOREIGN = "Host: attacker.example\r\n";
const OVERSIZE = request("/healthz", `${LOCAL}X-Large: ${"v".repeat(60_000)}\r\n`);

/** Attacks by anyone who can reach the HTTP listener. */
export const HTTP: readonly Attack[] = [
  {
    ...{ name: "http-metrics", family: "http", about: "/metrics as fast as it is answered" },
    run: (running) =>
      flood(running, {
        ...{ connections: 32, to: http(running.target) },
        script: () => [request("/metrics", LOCAL)],
      }),
  },
  {
    ...{ name: "http-ready", family: "http", about: "/readyz as fast as it is answered" },
    run: (running) =>
      flood(running, {
        ...{ connections: 32, to: http(running.target) },
        script: () => [request("/readyz", LOCAL)],
      }),
  },
  {
    ...{ name: "http-pipeline", family: "http" },
    about: "requests without pause on each connection, whose answers nobody reads",
    run: (running) =>
      flood(running, {
        ...{ connections: 32, to: http(running.target), reads: false },
        script: () => endlessly(repeated(request("/metrics", LOCAL))),
      }),
  },
  {
    ...{ name: "http-body", family: "http", about: "a body without an end, over 32 connections" },
    run: (running) =>
      flood(running, {
        ...{ connections: 32, to: http(running.target) },
        *script() {
          yield request("/metrics", `${LOCAL}Transfer-Encoding: chunked\r\n`);
          yield* endlessly(Buffer.from(`4000\r\n${"x".repeat(0x4000)}\r\n`));
        },
      }),
  },
  {
    ...{ name: "http-slow", family: "http", about: "500 requests that never end" },
    run: (running) =>
      flood(running, {
        ...{ connections: 500, to: http(running.target), everyMs: 100 },
        *script() {
          yield Buffer.from("GET /metrics HTTP/1.1\r\nX-Slow: ");
          yield* endlessly(Buffer.from("x"));
        },
      }),
  },
  {
    ...{ name: "http-oversize", family: "http", about: "headers of 60 kB; to be answered 431" },
    run: (running) =>
      flood(running, {
        ...{ connections: 16, to: http(running.target) },
        script: () => [OVERSIZE],
      }),
    async probe(target) {
      const status = await statusOf(target, OVERSIZE.toString());
      return status === 431 ? null : `answered ${status}, not 431`;
    },
  },
  {
    ...{ name: "http-host", family: "http", about: "the name of another host; to be refused" },
    run: (running) =>
      flood(running, {
        ...{ connections: 16, to: http(running.target) },
        script: () => [request("/metrics", FOREIGN)],
      }),
    async probe(target) {
      const status = await statusOf(target, request("/metrics", FOREIGN).toString());
      return status >= 400 && status < 500 ? null : `answered ${status} to another host's name`;
    },
  },
];
