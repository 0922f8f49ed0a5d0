import { afterEach, describe, expect, test } from "vitest";
import { nodeSockets } from "../../../src/cli/node-socket.ts";
import type { Clock } from "../../../src/client/clock.ts";
import { ApiProblem, FollowRefused, UnexpectedAnswer, Unreachable } from "../../../src/client/errors.ts";
import { type FollowOptions, follow } from "../../../src/client/follow.ts";
import type { LogRecord } from "../../../src/client/log-assembler.ts";
import {
  credit,
  end,
  type LogServer,
  ndjson,
  output,
  outputs,
  type Script,
  startLogServer,
} from "./scripted-log-server.ts";

const jobId = "0198d3a0-0000-7000-8000-000000000001";
let server: LogServer;
afterEach(() => server.close());

/** Time that never waits, and pings only when a test says so. */
function testClock() {
  const ticks = new Set<() => void>();
  const slept: number[] = [];
  const tick = () => {
    for (const action of [...ticks]) action();
  };
  const clock: Clock = {
    sleep: async (milliseconds) => void slept.push(milliseconds),
    random: () => 0.5,
    every: (_milliseconds, action) => {
      ticks.add(action);
      return () => ticks.delete(action);
    },
  };
  return { clock, slept, tick };
}

async function serve(...scripts: (Script | number)[]) {
  server = await startLogServer(...scripts);
  const time = testClock();
  const open = (options: Partial<FollowOptions> = {}) =>
    follow({ baseUrl: server.baseUrl, jobId, sockets: nodeSockets("secret-token"), clock: time.clock, ...options });
  return { ...time, open };
}

async function collect(records: AsyncIterable<LogRecord>): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

function texts(records: readonly LogRecord[]): string[] {
  return records.map((record) => {
    if (record.kind !== "event") return record.kind;
    return `${record.position}:${record.event.event === "cmd_output" ? record.event.output : record.event.event}`;
  });
}

describe("a log followed to its end", () => {
  test("is yielded event by event, with gaps, notices and the end in their places", async () => {
    const { open } = await serve((peer) => {
      outputs(peer, 0, "a", "b");
      peer.send({ kind: "gap", position: 2, until: 5, credit });
      peer.send({ kind: "notice", position: 5, text: "agent lost", credit });
      outputs(peer, 5, "c");
      end(peer, 6);
    });
    expect(await collect(open())).toEqual([
      { kind: "event", position: 0, event: { event: "cmd_output", timestamp: 1, output: "a" } },
      { kind: "event", position: 1, event: { event: "cmd_output", timestamp: 1, output: "b" } },
      { kind: "gap", position: 2, until: 5 },
      { kind: "notice", position: 5, text: "agent lost" },
      { kind: "event", position: 5, event: { event: "cmd_output", timestamp: 1, output: "c" } },
      { kind: "end", position: 6, result: "passed" },
    ]);
  });

  test("is asked for with the token in a header, never in the URL, and without compression", async () => {
    const { open } = await serve((peer) => void end(peer, 0));
    await collect(open({ from: 0 }));
    const { headers, url } = server.connections[0]?.request ?? { headers: {}, url: "" };
    expect(headers.authorization).toBe("Bearer secret-token");
    expect(headers["sec-websocket-protocol"]).toBe("signalbox.v1");
    expect(headers["sec-websocket-extensions"]).toBeUndefined();
    expect(url).toBe(`/api/ws?job_id=${jobId}&from=0`);
  });

  test("carries output that masking held back until an event that is no output", async () => {
    const finished = {
      event: "cmd_finished",
      timestamp: 1,
      directive: "x",
      exit_code: 0,
      started_at: 1,
      finished_at: 1,
    };
    const { open } = await serve((peer) => {
      peer.send(
        { kind: "events", position: 0, count: 1, credit },
        ndjson(JSON.stringify({ ...finished, output: "held" })),
      );
      end(peer, 1);
    });
    expect((await collect(open()))[0]).toEqual({ kind: "event", position: 0, event: { ...finished, output: "held" } });
  });

  test("puts a large event together from parts that are cut inside characters", async () => {
    const large = output("ä€😀".repeat(50_000));
    const bytes = ndjson(large);
    const cut = [0, 100_001, 200_003, bytes.length];
    const { open } = await serve((peer) => {
      for (let part = 1; part <= 3; part++) {
        const header = { kind: "events", position: 0, count: part === 3 ? 1 : 0, credit, part, parts: 3 } as const;
        peer.send(header, bytes.subarray(cut[part - 1], cut[part]));
      }
      end(peer, 1);
    });
    expect((await collect(open()))[0]).toEqual({ kind: "event", position: 0, event: JSON.parse(large) });
  });

  test("begun beyond the head yields nothing before the position asked for", async () => {
    const { open } = await serve((peer) => {
      outputs(peer, 1, "b", "c", "d");
      end(peer, 4);
    });
    expect(texts(await collect(open({ from: 3 })))).toEqual(["3:d", "end"]);
  });
});

describe("acknowledgements", () => {
  test("come at once for the first frame, then at each half of the credit, counting whole frames", async () => {
    const sizes: number[] = [];
    const acks: number[] = [];
    const small = 4000;
    const { open } = await serve(async (peer) => {
      const frame = (position: number) =>
        peer.send({ kind: "events", position, count: 1, credit: small }, ndjson(output("x".repeat(1000))));
      sizes.push(frame(0));
      acks.push(JSON.parse(await peer.receive((text) => text.includes("ack"))).ack);
      for (let position = 1; position <= 4; position++) sizes.push(frame(position));
      const second = await peer.receive((text) => text.includes("ack") && JSON.parse(text).ack > (acks[0] ?? 0));
      acks.push(JSON.parse(second).ack);
      end(peer, 5);
    });
    await collect(open());
    const total = (count: number) => sizes.slice(0, count).reduce((sum, size) => sum + size, 0);
    // Two frames of about 1,100 bytes make half of 4,000.
    expect(acks).toEqual([total(1), total(3)]);
  });

  test("wait for a reader that pauses, so that at most the credit piles up", async () => {
    const { open } = await serve(async (peer) => {
      outputs(peer, 0, "first");
      await peer.receive((text) => text.includes("ack"));
      for (let position = 1; position <= 3; position++) {
        peer.send({ kind: "events", position, count: 1, credit: 1000 }, ndjson(output("x".repeat(600))));
      }
    });
    const records = open();
    await records.next();
    const [peer] = server.connections;
    await records.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(peer?.received.filter((text) => text.includes("ack"))).toHaveLength(1);
    await records.next();
    await peer?.receive((text) => text.includes("ack") && JSON.parse(text).ack > 600);
    await records.return();
  });

  test("of what is read are sent with each ping, however little it is", async () => {
    let size = 0;
    const { open, tick } = await serve(async (peer) => {
      size += outputs(peer, 0, "first");
      size += outputs(peer, 1, "second");
      await peer.receive((text) => text === "ping");
      await peer.receive((text) => text === JSON.stringify({ ack: size }));
      end(peer, 2);
    });
    const records = open();
    await records.next();
    await records.next();
    const last = records.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    tick();
    expect((await last).value).toMatchObject({ kind: "end" });
  });
});

describe("a broken connection", () => {
  const breakings: [string, Script][] = [
    ["torn down", (peer) => peer.socket.terminate()],
    ["closed with 1000 before the end", (peer) => peer.socket.close(1000)],
    ["closed with 1001", (peer) => peer.socket.close(1001)],
    ["closed with 1011", (peer) => peer.socket.close(1011)],
    ["closed with 1012", (peer) => peer.socket.close(1012)],
    ["closed as stalled", (peer) => peer.socket.close(4100)],
    ["closed with a later resumable code", (peer) => peer.socket.close(4999)],
  ];
  for (const [how, breaking] of breakings) {
    test(`${how} is resumed at the position reached, without a gap or a duplicate`, async () => {
      const { open } = await serve(
        async (peer) => {
          outputs(peer, 0, "a", "b");
          await peer.receive((text) => text.includes("ack"));
          await breaking(peer);
        },
        (peer) => {
          expect(peer.from).toBe(2);
          outputs(peer, 0, "a", "b", "c");
          end(peer, 3);
        },
      );
      expect(texts(await collect(open()))).toEqual(["0:a", "1:b", "2:c", "end"]);
    });
  }

  test("in the middle of a large event begins that event again", async () => {
    const bytes = ndjson(output("x".repeat(1000)));
    const part = (number: number) =>
      ({ kind: "events", position: 0, count: number === 2 ? 1 : 0, credit, part: number, parts: 2 }) as const;
    const { open } = await serve(
      async (peer) => {
        peer.send(part(1), bytes.subarray(0, 500));
        await peer.receive((text) => text.includes("ack"));
        peer.socket.terminate();
      },
      (peer) => {
        peer.send(part(1), bytes.subarray(0, 500));
        peer.send(part(2), bytes.subarray(500));
        end(peer, 1);
      },
    );
    expect(texts(await collect(open()))).toEqual([`0:${"x".repeat(1000)}`, "end"]);
  });

  test("does not repeat the notices of the position reached, nor swallow a second equal one", async () => {
    const { open } = await serve(
      async (peer) => {
        outputs(peer, 0, "a");
        peer.send({ kind: "notice", position: 1, text: "queued again", credit });
        await peer.receive((text) => text.includes("ack"));
        peer.socket.terminate();
      },
      (peer) => {
        peer.send({ kind: "notice", position: 1, text: "queued again", credit });
        peer.send({ kind: "notice", position: 1, text: "queued again", credit });
        end(peer, 1);
      },
    );
    expect(texts(await collect(open()))).toEqual(["0:a", "notice", "notice", "end"]);
  });

  test("is tried again after waits that grow, and given up with a clear error", async () => {
    const { open, slept } = await serve((peer) => peer.socket.terminate());
    await expect(collect(open({ attempts: 5 }))).rejects.toThrow(Unreachable);
    expect(slept).toEqual([188, 375, 750, 1500]);
    expect(server.connections).toHaveLength(5);
  });

  test("that is a server gone silent is noticed by its missing answers", async () => {
    const silence = Promise.withResolvers<void>();
    const { open, tick } = await serve(
      async (peer) => {
        outputs(peer, 0, "a");
        await peer.receive((text) => text === "ping");
        silence.resolve();
      },
      (peer) => void end(peer, 1),
    );
    const all = collect(open());
    while (server.connections[0]?.received.length !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
    tick();
    await silence.promise;
    tick();
    expect(texts(await all)).toEqual(["0:a", "end"]);
  });
});

describe("what cannot be resumed", () => {
  for (const status of [401, 403, 404]) {
    test(`a refusal with ${status} ends it with the server's reason, at the first try`, async () => {
      const { open, slept } = await serve(status);
      const error = await collect(open()).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(ApiProblem);
      expect(error).toMatchObject({ status, detail: `refused with ${status}` });
      expect(slept).toEqual([]);
    });
  }

  test("a refusal with 503 is tried again", async () => {
    const { open, slept } = await serve(503, (peer) => void end(peer, 0));
    expect(texts(await collect(open()))).toEqual(["end"]);
    expect(slept).toHaveLength(1);
  });

  for (const code of [1008, 1009, 4004, 4029]) {
    test(`close code ${code} ends it with what it means`, async () => {
      const { open } = await serve((peer) => peer.socket.close(code, "because"));
      const error = await collect(open()).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(FollowRefused);
      expect(error).toMatchObject({ closeCode: code, message: expect.stringContaining("because") });
    });
  }

  test("a hole that the server does not declare is never skipped silently", async () => {
    const { open } = await serve((peer) => void outputs(peer, 3, "d"));
    await expect(collect(open({ attempts: 2 }))).rejects.toThrow(UnexpectedAnswer);
  });

  test("an end before the last position is never taken for the end", async () => {
    const { open } = await serve(
      (peer) => {
        outputs(peer, 0, "a");
        end(peer, 2);
      },
      (peer) => {
        outputs(peer, 1, "b");
        end(peer, 2);
      },
    );
    expect(texts(await collect(open()))).toEqual(["0:a", "1:b", "end"]);
  });
});

test("a reader that stops reading leaves no socket open", async () => {
  const { open } = await serve((peer) => void outputs(peer, 0, "a", "b"));
  for await (const _record of open()) break;
  const socket = server.connections[0]?.socket;
  if (socket?.readyState === 1) await new Promise((resolve) => socket.once("close", resolve));
  expect(socket?.readyState).toBeGreaterThanOrEqual(2);
});

test("an abort ends the wait for a quiet log at once, with its reason", async () => {
  const { open } = await serve((peer) => void outputs(peer, 0, "a"));
  const abort = new AbortController();
  const records = open({ signal: abort.signal });
  await records.next();
  const waiting = records.next();
  abort.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
});
