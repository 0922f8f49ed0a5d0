/** How a log ends, by its deadline, and how long a final log is kept. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EpochMs } from "../../src/worker/lib/time.ts";
import { type LogRooms, lineOf, lines, push, startLogRooms, TestViewer } from "../support/log-room.ts";

let rooms: LogRooms;

beforeAll(async () => {
  rooms = await startLogRooms();
});
afterAll(() => rooms.close());

describe("the deadline", () => {
  it("is asked for when it is due, put off as told, tried again when it could not be asked, and ends the log", async () => {
    const job = await rooms.newJob({ armed: false });
    await job.call("setAlarm", { at: Date.now() + 60_000 });
    await job.call("ring");
    expect((await job.call("planted")).asked).toEqual([]);
    await job.call("plant", { forwardMs: 60_000 });
    await job.call("ring");
    expect((await job.call("planted")).asked).toEqual([job.id]);
    const later = (Date.now() + 7_200_000) as EpochMs;
    await job.call("plant", { forwardMs: 80_000, verdict: { kind: "wait", until: later } });
    await job.call("ring");
    expect(await job.call("planted")).toMatchObject({ asked: [job.id, job.id], alarm: later });
    // From here on only: who watches is looked at every minute, in the same slot.
    const viewer = new TestViewer(job, 0);
    await job.call("plant", {
      forwardMs: 7_200_000,
      verdict: { kind: "finished", result: "failed", notice: "too long" },
    });
    await job.call("ring");
    await viewer.ended();
    expect(viewer.outputs).toEqual(["notice too long", "end 0 failed"]);
    await job.call("setAlarm", { at: later });
    await job.call("ring");
    expect((await job.call("planted")).asked.length).toBe(3);
  });

  it("is not put off by who asks for a later one: a second stop, or the fetch of a job that is being stopped", async () => {
    const job = await rooms.newJob({ armed: false });
    const soon = (Date.now() + 60_000) as EpochMs;
    await job.call("setAlarm", { at: soon });
    await job.call("setAlarm", { at: soon + 60_000 });
    await job.arm(1);
    expect((await job.call("planted")).alarm).toBe(soon);
  });

  it("rings by itself", async () => {
    const job = await rooms.newJob();
    await job.call("plant", { verdict: { kind: "finished", result: "stopped", notice: null } });
    await job.call("setAlarm", { at: Date.now() + 300 });
    const viewer = await new TestViewer(job, 0).ended();
    expect(viewer.outputs).toEqual(["end 0 stopped"]);
  });
});

describe("a final log", () => {
  const dayMs = 86_400_000;

  it("is kept while its project says so or cannot be asked, then deleted: its viewers go, its storage is free", async () => {
    const job = await rooms.newJob();
    const wide = Array.from({ length: 20 }, (_, at) => lineOf(at, "w".repeat(100_000))).join("");
    await push(job, 0, wide);
    await job.call("finish", { result: "passed", notice: "that was all" });
    const sha256 = createHash("sha256").update(wide).digest("hex");
    await job.evict();
    const { closedAt, ...final } = (await job.call("summary")).final ?? { closedAt: 0 };
    expect(final).toEqual({ result: "passed", bytes: wide.length, sha256 });
    const ringAfter = async (days: number, retentionDays: number | null) => {
      await job.call("plant", { forwardMs: closedAt + days * dayMs - Date.now() + 1000, retentionDays });
      await job.call("ring");
      return job.call("planted");
    };
    for (const [days, retentionDays] of [
      [1, 30],
      [29, 30],
      [31, null],
      [32, 60],
    ] as const) {
      expect((await ringAfter(days, retentionDays)).deletions).toEqual([]);
      expect(await job.call("summary")).toMatchObject({
        notices: [{ position: 20, text: "that was all" }],
        final: { sha256 },
      });
      await job.evict();
    }
    const late = new TestViewer(job, 0, { acks: false });
    await late.until((viewer) => viewer.sizes.length > 0, "the first frame");
    const { deletions, alarm } = await ringAfter(34, 33);
    expect(deletions).toMatchObject([{ sha256 }]);
    expect(alarm).toBeNull();
    await late.until((viewer) => viewer.closed?.code === 4004, "closed as gone");
    for (const evicts of [false, true]) {
      if (evicts) await job.evict();
      expect(await push(job, 0, lines(0, 1))).toBe(422);
      expect(await job.call("summary")).toEqual({ events: 0, notices: [], final: null });
      expect(await job.rows("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'")).toEqual([]);
    }
  });

  it("is looked after once a day at least, so that a lowered retention is noticed", async () => {
    const job = await rooms.newJob();
    await push(job, 0, lines(0, 1));
    await job.call("finish", { result: "failed", notice: null });
    const { alarm } = await job.call("planted");
    expect((alarm ?? 0) - Date.now()).toBeLessThan(dayMs);
    await job.call("plant", { forwardMs: dayMs });
    await job.call("ring");
    const next = await job.call("planted");
    expect((next.alarm ?? 0) - Date.now() - dayMs).toBeLessThan(dayMs);
    expect((next.alarm ?? 0) - Date.now() - dayMs).toBeGreaterThan(0);
  });
});
