import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { ServerLink } from "../../../src/store/valkey/link/server_link.ts";
import { startCuttingProxy } from "../../support/servers/cutting_proxy.ts";
import {
  type ValkeyOptions,
  type ValkeyServer,
  withValkey,
} from "../../support/servers/valkey_server.ts";
import { sleep, until } from "../../support/wait.ts";
import { count, keepingLogger, linkTo, scriptOf, textOf } from "./valkey_link_world.ts";

/** The link to a real Valkey, with every fault that can break it. */

async function withLink(
  server: ValkeyOptions,
  body: (parts: { readonly link: ServerLink; readonly server: ValkeyServer }) => Promise<void>,
): Promise<void> {
  await withValkey(server, async (running) => {
    const link = linkTo(running.url);
    try {
      await link.open();
      await body({ link, server: running });
    } finally {
      await link.close();
    }
  });
}

test("ServerLink answers calls in order, with bytes of any kind and size", async () => {
  await withLink({}, async ({ link }) => {
    const calls = Array.from({ length: 1_000 }, (_, index) => textOf(link.run(count(`r${index}`))));
    assert.deepEqual(await Promise.all(calls), Array.from({ length: 1_000 }, (_, i) => `${i + 1}`));
    const echo = scriptOf("return ARGV[1]");
    const bytes = new Uint8Array(3_000_000).map((_, index) => (index * 7) & 255);
    assert.deepEqual(
      new Uint8Array(await link.run({ script: echo, keys: [], args: [bytes] })),
      bytes,
    );
    assert.equal(
      await textOf(link.run({ script: echo, keys: [], args: ["ä\r\n€😀"] })),
      "ä\r\n€😀",
    );
  });
});

test("ServerLink loads a script again when the server has forgotten it", async () => {
  await withLink({}, async ({ link, server }) => {
    assert.equal(await textOf(link.run(count("a"))), "1");
    await server.cli("script", "flush");
    assert.equal(await textOf(link.run(count("b"))), "2");
  });
});

test("ServerLink reports a script's error and stays usable", async () => {
  await withLink({}, async ({ link }) => {
    const broken = { script: scriptOf("return redis.call('INCR', KEYS[1])"), keys: ["{t}:n"] };
    await assert.rejects(link.run({ ...broken, args: [] }), (error) => {
      assert.ok(isJobError(error, "internal"));
      assert.match(error.message, /a script did not return bytes/);
      return true;
    });
    assert.equal(await textOf(link.run(count("a"))), "2");
  });
});

for (const where of ["request", "answer"] as const) {
  test(`fault 16: a call is executed once when the link is cut before the ${where}`, async () => {
    await withValkey({}, async (server) => {
      const proxy = await startCuttingProxy(server.port);
      const link = linkTo(`valkey://127.0.0.1:${proxy.port}`);
      try {
        await link.open();
        for (let round = 1; round <= 5; round += 1) {
          if (where === "request") proxy.cutBeforeRequest();
          else proxy.cutBeforeAnswer();
          const calls = [1, 2, 3].map((each) => textOf(link.run(count(`${round}.${each}`))));
          const first = (round - 1) * 3;
          assert.deepEqual(await Promise.all(calls), [1, 2, 3].map((each) => `${first + each}`));
        }
        assert.equal(proxy.cuts, 5);
      } finally {
        await link.close();
        await proxy.close();
      }
    });
  });
}

test("fault 15: an idle link that is lost reconnects, with at most one log line a second", async () => {
  await withValkey({ appendonly: true }, async (server) => {
    const logger = keepingLogger();
    const link = linkTo(server.url, { logger });
    let reconnects = 0;
    link.onReconnect(() => reconnects += 1);
    try {
      await link.open();
      await server.kill();
      await until("the link knows", () => link.problem !== null);
      assert.match(link.problem!, /^Cannot reach the store valkey:\/\/127\.0\.0\.1:\d+: /);
      await server.start();
      await until("it is back", () => link.problem === null);
      assert.equal(reconnects, 1);
      assert.equal(await textOf(link.run(count("a"))), "1");
      const seconds = 3;
      assert.ok(logger.lines.length <= seconds, logger.lines.join("\n"));
    } finally {
      await link.close();
    }
  });
});

for (const how of ["killed", "frozen"] as const) {
  test(`fault 18: calls fail in time when the server is ${how}, later ones sooner, and work when it is back`, async () => {
    await withValkey({ appendonly: true }, async (server) => {
      const link = linkTo(server.url, { limits: { answerMs: 600, troubledMs: 50 } });
      const refusedMs = async () => {
        const before = performance.now();
        await assert.rejects(link.run(count("a")), (error) => isJobError(error, "unavailable"));
        return performance.now() - before;
      };
      try {
        await link.open();
        if (how === "killed") await server.kill();
        else server.process.freeze();
        const first = await refusedMs();
        assert.ok(first >= 550, `${first}`);
        assert.ok(await refusedMs() < 500);
        assert.notEqual(link.problem, null);
        if (how === "killed") await server.start();
        else server.process.thaw();
        await until("it is back", () => link.problem === null);
        assert.match(await textOf(link.run(count("b"))), /^[123]$/);
      } finally {
        await link.close();
      }
    });
  });
}

test("ServerLink disconnects from a frozen server and reconnects when it responds again", async () => {
  await withLink({}, async ({ link, server }) => {
    await link.close();
    const brief = linkTo(server.url, {
      limits: { answerMs: 200, pulseMs: 100, handshakeMs: 300, connectMs: 300 },
    });
    try {
      await brief.open();
      server.process.freeze();
      await assert.rejects(brief.run(count("a")), (error) => isJobError(error, "unavailable"));
      await until("the link knows", () => brief.problem !== null);
      server.process.thaw();
      await until("it is back", () => brief.problem === null);
      assert.match(await textOf(brief.run(count("b"))), /^[12]$/);
    } finally {
      await brief.close();
    }
  });
});

test("fault 20: a slow server gets more time, and no request twice", async () => {
  await withValkey({}, async (server) => {
    const proxy = await startCuttingProxy(server.port);
    const link = linkTo(`valkey://127.0.0.1:${proxy.port}`, {
      limits: { answerMs: 400, pulseMs: 100 },
    });
    try {
      await link.open();
      assert.equal(await textOf(link.run(count("a"))), "1");
      proxy.delayAnswers(500);
      // A late answer is worth waiting for, and shows how slow the server is.
      const late = link.run(count("b"));
      await sleep(450);
      assert.match(link.problem ?? "", /no response within 400 ms/);
      assert.equal(await textOf(late), "2");
      assert.equal(await textOf(link.run(count("c"))), "3");
      proxy.delayAnswers(900);
      assert.equal(await textOf(link.run(count("d"))), "4");
      assert.equal(proxy.connections, 2);
      assert.equal(link.problem, null);
    } finally {
      await link.close();
      await proxy.close();
    }
  });
});

test("ServerLink refuses further calls when too many wait", async () => {
  await withValkey({}, async (server) => {
    const link = linkTo(server.url, { limits: { callsMax: 2, answerMs: 300 } });
    try {
      await link.open();
      server.process.freeze();
      const waiting = [link.run(count("a")), link.run(count("b"))];
      await assert.rejects(
        link.run(count("c")),
        (error) => isJobError(error, "resource_exhausted"),
      );
      server.process.thaw();
      await Promise.all(waiting);
    } finally {
      await link.close();
    }
  });
});

test("ServerLink delivers published messages, also after a reconnection", async () => {
  await withValkey({}, async (server) => {
    const proxy = await startCuttingProxy(server.port);
    const link = linkTo(`valkey://127.0.0.1:${proxy.port}`);
    const heard: string[] = [];
    try {
      await link.open();
      await link.subscribe("{t}:hints", (message) => {
        heard.push(new TextDecoder().decode(message));
      });
      await server.cli("publish", "{t}:hints", "one");
      await until("the first came", () => heard.length === 1);
      const reconnected = new Promise<void>((resolve) => link.onReconnect(resolve));
      proxy.cutAll();
      await reconnected;
      await server.cli("publish", "{t}:hints", "two");
      await until("the second came", () => heard.length === 2);
      assert.deepEqual(heard, ["one", "two"]);
    } finally {
      await link.close();
      await proxy.close();
    }
  });
});

test("ServerLink runs its greeting on each connection before calls", async () => {
  await withValkey({}, async (server) => {
    const proxy = await startCuttingProxy(server.port);
    const link = linkTo(`valkey://127.0.0.1:${proxy.port}`);
    const answers: string[] = [];
    link.greet(async (run) => {
      answers.push(await textOf(run(count(`g${answers.length}`))));
    });
    try {
      await link.open();
      proxy.cutAll();
      assert.equal(await textOf(link.run(count("a"))), "3");
      assert.deepEqual(answers, ["1", "2"]);
    } finally {
      await link.close();
      await proxy.close();
    }
  });
});

test("ServerLink can be opened again after it was closed", async () => {
  await withLink({}, async ({ link }) => {
    await link.close();
    await assert.rejects(link.run(count("a")), (error) => isJobError(error, "unavailable"));
    await link.open();
    assert.equal(await textOf(link.run(count("a"))), "1");
  });
});
