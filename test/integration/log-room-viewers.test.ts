/** What viewers of a log room are sent, how it is paced by what they acknowledge, and who is let in or cut off. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { limits } from "../../src/protocol/limits.ts";
import { type LogRooms, lineOf, lines, outputsOf, push, startLogRooms, TestViewer } from "../support/log-room.ts";

let rooms: LogRooms;

beforeAll(async () => {
  rooms = await startLogRooms();
});
afterAll(() => rooms.close());

describe("viewers", () => {
  it("that join early, late and in the middle see the same events, none lost or twice, also across hibernation", async () => {
    const job = await rooms.newJob();
    const early = new TestViewer(job, 0);
    expect(await push(job, 0, lines(0, 40))).toBe(200);
    await early.until((viewer) => viewer.position === 40, "the first forty");
    const middle = new TestViewer(job, 17);
    await middle.until((viewer) => viewer.position === 40, "the rest from 17");
    const before = (await job.call("planted")).instance;
    for (let round = 0; round < 3; round++) {
      await job.evict();
      const start = 40 + round * 20;
      expect(await push(job, start - 5, lines(start - 5, start + 20))).toBe(200);
    }
    expect((await job.call("planted")).instance).not.toBe(before);
    await job.call("finish", { result: "passed", notice: "that was all" });
    const late = new TestViewer(job, 0);
    for (const [viewer, from] of [
      [early, 0],
      [middle, 17],
      [late, 0],
    ] as const) {
      await viewer.ended();
      expect(viewer.outputs).toEqual([...outputsOf(from, 100), "notice that was all", "end 100 passed"]);
    }
  });

  it("see gaps and notices in their place exactly once, also when they resume", async () => {
    const job = await rooms.newJob();
    await push(job, 0, lines(0, 3));
    await job.call("notice", { text: "first" });
    await push(job, 6, lines(6, 9));
    await job.call("notice", { text: "second" });
    const all = [...outputsOf(0, 3), "notice first", "gap 3-6", ...outputsOf(6, 9), "notice second"];
    for (let from = 0; from <= 9; from++) {
      const viewer = new TestViewer(job, from);
      const expected =
        from <= 3 ? all.slice(from) : from < 6 ? [`gap ${from}-6`, ...all.slice(5)] : all.slice(from - 1);
      await viewer.until((v) => v.outputs.length >= expected.length, `all from ${from}`);
      expect(viewer.outputs).toEqual(expected);
      viewer.close();
    }
  });

  it("beyond the head wait there, and on a room that no claim has armed", async () => {
    const job = await rooms.newJob({ armed: false });
    const viewer = new TestViewer(job, 500);
    await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    await job.arm(1);
    await push(job, 0, lines(0, 2));
    await job.call("finish", { result: "stopped", notice: null });
    await viewer.ended();
    // They are told what comes; the client's assembler drops what lies below its position.
    expect(viewer.headers.map(({ kind, position }) => `${kind} ${position}`)).toEqual(["events 0", "end 2"]);
  });

  it("get a small first frame, frames of whole events, and large events in parts", async () => {
    const job = await rooms.newJob();
    const big = "x".repeat(2_500_000);
    await push(job, 0, lines(0, 2000));
    await push(job, 2000, lineOf(2000, big) + lineOf(2001, "y".repeat(300_000)) + lineOf(2002, "z".repeat(70_000)));
    await push(job, 2003, lines(2003, 4003));
    await job.call("finish", { result: "passed", notice: null });
    for (const from of [0, 1, 1999, 2000, 2001, 2002, 2003, 4002, 4003]) {
      const viewer = await new TestViewer(job, from).ended();
      const texts = Array.from({ length: 4003 - from }, (_, index) => from + index).map((at) =>
        at === 2000 ? big : at === 2001 ? "y".repeat(300_000) : at === 2002 ? "z".repeat(70_000) : `line ${at}\n`,
      );
      expect(viewer.outputs.slice(0, -1).join("") === texts.join(""), `from ${from}`).toBe(true);
      expect(viewer.sizes[0]).toBeLessThanOrEqual(64 * 1024);
      expect(Math.max(...viewer.sizes)).toBeLessThanOrEqual(256 * 1024);
    }
  });

  it("that acknowledge nothing are sent no more than their credit and one frame, and miss nothing later", async () => {
    const job = await rooms.newJob();
    const stalled = new TestViewer(job, 0, { acks: false });
    const live = new TestViewer(job, 0);
    const wide = (at: number) => lineOf(at, `${at} ${"w".repeat(100_000)}`);
    for (let at = 0; at < 40; at += 10) {
      expect(await push(job, at, Array.from({ length: 10 }, (_, index) => wide(at + index)).join(""))).toBe(200);
    }
    await live.until((viewer) => viewer.position === 40, "the live viewer has all");
    expect(stalled.received).toBeGreaterThan(900_000);
    expect(stalled.received).toBeLessThan(limits.viewerCreditBytes + 300_000);
    stalled.ack(stalled.received);
    await stalled.until((viewer) => viewer.received > 1_500_000, "more after an acknowledgement");
    while (stalled.position < 40) {
      stalled.ack(stalled.received);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(stalled.outputs.join("")).toBe(live.outputs.join(""));
  });

  it("that owe an acknowledgement for a minute are closed resumably by the alarm, the others are not", async () => {
    const job = await rooms.newJob();
    const stalled = new TestViewer(job, 0, { acks: false });
    const good = new TestViewer(job, 0);
    await push(job, 0, lines(0, 5));
    await good.until((viewer) => viewer.position === 5, "five lines");
    const { alarm } = await job.call("planted");
    expect(alarm).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(alarm).toBeGreaterThan(Date.now() + 50_000);
    await job.call("plant", { forwardMs: 61_000 });
    await job.call("ring");
    await stalled.until((viewer) => viewer.closed?.code === 4100, "closed with 4100");
    await push(job, 5, lines(5, 7));
    await good.until((viewer) => viewer.position === 7, "goes on");
    await job.call("plant", { forwardMs: 200_000 });
    await job.call("ring");
    expect(good.closed).toBeUndefined();
  });

  it("that may no longer see the job are cut off at the next look, and nobody is while that cannot be asked", async () => {
    const job = await rooms.newJob();
    await push(job, 0, lines(0, 5));
    const barred = new TestViewer(job, 0, { who: "barred" });
    const welcome = new TestViewer(job, 0, { who: "welcome" });
    await barred.until((viewer) => viewer.position === 5, "five lines");
    await welcome.until((viewer) => viewer.position === 5, "five lines");
    // Neither owes anything: the alarm rings for the look alone.
    expect((await job.call("planted")).alarm).toBeLessThanOrEqual(Date.now() + 60_000);
    await job.call("plant", { forwardMs: 61_000, barred: null });
    await job.call("ring");
    await push(job, 5, lines(5, 7));
    await barred.until((viewer) => viewer.position === 7, "goes on");
    await job.call("plant", { forwardMs: 122_000, barred: ["barred"] });
    await job.call("ring");
    await barred.until((viewer) => viewer.closed?.code === 4004, "closed with 4004");
    await push(job, 7, lines(7, 9));
    await welcome.until((viewer) => viewer.position === 9, "goes on");
    expect(barred.position).toBe(7);
    await job.call("plant", { forwardMs: 200_000, barred: ["barred", "welcome"] });
    await job.call("ring");
    // Nobody watches any more: the slot is the deadline's again.
    expect((await job.call("planted")).alarm).toBeGreaterThan(Date.now() + 3_000_000);
  });

  it("that send anything but an honest acknowledgement are closed", async () => {
    const job = await rooms.newJob();
    await push(job, 0, lines(0, 2));
    for (const [message, code] of [
      ['{"ack":100000}', 1008],
      ['{"ack":-1}', 1008],
      ["hello", 1008],
      [Buffer.from("{}"), 1008],
      ["x".repeat(1025), 1009],
      [Buffer.alloc(5000), 1009],
    ] as const) {
      const viewer = new TestViewer(job, 0, { acks: false });
      await viewer.until((v) => v.received > 0, "a frame");
      viewer.socket.send(message);
      await viewer.until((v) => v.closed?.code === code, `closed with ${code}`);
    }
  });

  it("are pinged back without waking the room, and echoed exactly one subprotocol", async () => {
    const job = await rooms.newJob();
    const viewer = new TestViewer(job, 0, { protocols: ["signalbox.v1", "signalbox.ticket.abc"] });
    await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    expect(viewer.socket.protocol).toBe("signalbox.v1");
    viewer.socket.send("ping");
    await viewer.until((v) => v.texts[0] === "pong", "pong");
    const bare = new TestViewer(job, 0, { protocols: [] });
    await bare.until((v) => v.socket.readyState === WebSocket.OPEN, "open without a subprotocol");
    expect(bare.socket.protocol).toBe("");
  });

  it("are at most ten per principal, and a place that was left can be taken", async () => {
    const job = await rooms.newJob();
    const ten = Array.from({ length: 10 }, () => new TestViewer(job, 0, { who: "ann" }));
    for (const viewer of ten) await viewer.until((v) => v.socket.readyState === WebSocket.OPEN, "open");
    const eleventh = new TestViewer(job, 0, { who: "ann" });
    await eleventh.until((v) => v.closed?.code === 4029, "refused with 4029");
    const other = new TestViewer(job, 0, { who: "bob" });
    await push(job, 0, lines(0, 1));
    await other.until((v) => v.position === 1, "somebody else may watch");
    expect(eleventh.received).toBe(0);
    ten[0]?.close();
    await ten[0]?.until((v) => v.closed !== undefined, "closed");
    await new TestViewer(job, 0, { who: "ann" }).until((v) => v.position === 1, "a place is free");
  });
});
