/** Viewers that flood a log room, hoard or lie: they are cut off, the room and everybody else go on. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { limits } from "../../src/protocol/limits.ts";
import {
  type Job,
  type LogRooms,
  lineOf,
  lines,
  push,
  startLogRooms,
  TestViewer,
  waitFor,
} from "../support/log-room.ts";

let rooms: LogRooms;

beforeAll(async () => {
  rooms = await startLogRooms();
});
afterAll(() => rooms.close());

describe("a flood of sockets", () => {
  it("is told to come later by its code, while pushes are stored and another viewer sees every line", async () => {
    const job = await rooms.newJob();
    const honest = new TestViewer(job, 0, { who: "honest" });
    await honest.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    const codes = new Set<number | undefined>();
    const flood = async () => {
      for (let round = 0; round < 13; round++) {
        const wave = Array.from({ length: 10 }, () => new TestViewer(job, 0, { who: "mallory", acks: false }));
        for (const viewer of wave) {
          await viewer.until((v) => v.socket.readyState === WebSocket.OPEN || v.closed !== undefined, "answered");
          viewer.close();
          await viewer.until((v) => v.closed !== undefined, "closed");
          codes.add(viewer.closed?.code);
        }
      }
    };
    const produce = async () => {
      for (let at = 0; at < 20; at++) expect(await push(job, at * 10, lines(at * 10, at * 10 + 10))).toBe(200);
    };
    await Promise.all([flood(), produce()]);
    await honest.until((v) => v.position === 200, "every line");
    expect(honest.closed).toBeUndefined();
    expect(codes).toContain(4102);
    await new TestViewer(job, 0, { who: "newcomer" }).until((v) => v.position === 200, "a newcomer sees all");
  });
});

describe("a flood of messages", () => {
  it("ends at the edge by its code: the room hears of few, stores pushes, and another viewer sees every line", async () => {
    const job = await rooms.newJob();
    expect(await push(job, 0, lines(0, 10))).toBe(200);
    const honest = new TestViewer(job, 0, { who: "honest" });
    await honest.until((v) => v.position === 10, "the first lines");
    for (const message of ['{"ack":0}', "ping ", "x".repeat(2000)]) {
      const mallory = new TestViewer(job, 0, { who: "mallory", acks: false });
      await mallory.until((v) => v.position === 10, "the first lines");
      for (let sent = 0; sent < 20_000; sent++) mallory.socket.send(message);
      await mallory.until((v) => v.closed !== undefined, "cut off");
      expect(mallory.closed?.code).toBe({ '{"ack":0}': 4103, "ping ": 1008 }[message] ?? 1009);
    }
    expect(await push(job, 10, lines(10, 20))).toBe(200);
    await honest.until((v) => v.position === 20, "every line");
    expect(honest.closed).toBeUndefined();
    expect((await job.call("planted")).heard).toBeLessThan(60);
  });

  it("is not what a viewer sends that acknowledges each of many frames", async () => {
    const job = await rooms.newJob();
    const viewer = new TestViewer(job, 0, { acks: false });
    await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    for (let at = 0; at < 60; at++) {
      expect(await push(job, at, lineOf(at))).toBe(200);
      await viewer.until((v) => v.position === at + 1, "the line");
      viewer.ack(viewer.received);
    }
    expect(viewer.closed).toBeUndefined();
  });
});

describe("what waits unacknowledged", () => {
  it("is bounded for one principal over all its sockets on all logs, and nobody else's", async () => {
    const jobs = await Promise.all([rooms.newJob(), rooms.newJob()]);
    for (const job of jobs) {
      for (let at = 0; at < 3; at++) expect(await push(job, at, lineOf(at, "x".repeat(900 * 1024)))).toBe(200);
    }
    const hoarders = jobs.flatMap((job) =>
      Array.from({ length: 10 }, () => new TestViewer(job, 0, { who: "hoarder", acks: false })),
    );
    const isCutOff = (viewer: TestViewer) => viewer.closed?.code === 4100;
    await waitFor(
      () => hoarders.some(isCutOff),
      () => "one socket too many is cut off",
    );
    for (const job of jobs) {
      await new TestViewer(job, 0, { who: "honest" }).until((viewer) => viewer.position === 3, "everything");
    }
    const waiting = hoarders.filter((viewer) => !isCutOff(viewer));
    expect(waiting.length).toBeGreaterThan(5);
    // However they go, what they left waiting is counted no more.
    for (const [at, viewer] of hoarders.entries()) at % 2 === 0 ? viewer.close() : viewer.socket.terminate();
    const isFree = async () => {
      const again = await new TestViewer(jobs[0] as Job, 0, { who: "hoarder" }).until(
        (viewer) => viewer.position === 3 || viewer.closed !== undefined,
        "everything, or cut off",
      );
      again.close();
      return again.position;
    };
    await expect.poll(isFree).toBe(3);
  });
});

describe("a viewer that acknowledges what it does not read", () => {
  it("is closed before what it does not take fills the memory", async () => {
    const job = await rooms.newJob();
    for (let at = 0; at < 40; at++) expect(await push(job, at, lineOf(at, "x".repeat(1_000_000)))).toBe(200);
    const honest = await new TestViewer(job, 0, { who: "honest" }).until((v) => v.position === 40, "everything");
    const liar = new TestViewer(job, 0, { who: "liar", acks: false });
    await liar.until((v) => v.received > 0, "the first frame");
    liar.socket.pause();
    // It knows the frames' sizes from another socket.
    for (let total = 0, at = 0; at < honest.frameBytes.length; at++) {
      total += honest.frameBytes[at] ?? 0;
      liar.ack(total);
      await job.call("planted");
    }
    liar.socket.resume();
    await liar.until((v) => v.closed !== undefined, "closed");
    expect(liar.closed?.code).toBe(4100);
    expect(liar.received).toBeLessThan(honest.received);
  });
});

/** A client that says what it likes: a mask of zeros leaves the payload as it is (RFC 6455 section 5.3). */
async function rawClient(job: Job, who: string): Promise<Socket> {
  const { hostname, port, pathname, search } = job.url("view", { from: 0, who });
  const socket = connect({ host: hostname, port: Number(port) });
  const headers = ["Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${[...headers, key].join("\r\n")}\r\n\r\n`);
  await once(socket, "data");
  return socket;
}

describe("a viewer whose last words are no text", () => {
  it("leaves its place to the next: no close is answered with more than a close may carry", async () => {
    const job = await rooms.newJob();
    expect(await push(job, 0, lines(0, 1))).toBe(200);
    const clients = await Promise.all(
      Array.from({ length: limits.viewersPerPrincipal }, () => rawClient(job, "mumbler")),
    );
    const words = Buffer.alloc(123, 0xff);
    clients[0]?.write(Buffer.concat([Buffer.from([0x88, 0x80 | 125, 0, 0, 0, 0, 0x03, 0xe8]), words]));
    const next = async () => {
      const viewer = new TestViewer(job, 0, { who: "mumbler" });
      await viewer.until((v) => v.position === 1 || v.closed !== undefined, "answered");
      viewer.close();
      return viewer.position;
    };
    await expect.poll(next).toBe(1);
    for (const client of clients) client.destroy();
  });
});
