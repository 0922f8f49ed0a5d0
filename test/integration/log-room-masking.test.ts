/** Secrets in what is pushed to a log room: masked across pushes, evictions and claims, and never stored in clear. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LogRooms, lineOf, push, startLogRooms, TestViewer } from "../support/log-room.ts";

let rooms: LogRooms;

beforeAll(async () => {
  rooms = await startLogRooms();
});
afterAll(() => rooms.close());

describe("pushes", () => {
  it("mask secrets, before and after an eviction, and open the masks once for each", async () => {
    const job = await rooms.newJob({ masks: { TOKEN: "hunter2hunter2" } });
    expect(await push(job, 0, lineOf(0, "a hunter2hunter2 b"))).toBe(200);
    expect(await push(job, 1, lineOf(1, Buffer.from("hunter2hunter2").toString("hex")))).toBe(200);
    expect((await job.call("planted")).opened).toBe(1);
    await job.evict();
    expect(await push(job, 2, lineOf(2, "c hunter2hunter2 d"))).toBe(200);
    expect((await job.call("planted")).opened).toBe(1);
    const page = await job.call("read", { from: 0, maxBytes: 100_000 });
    expect(page.events).toBe(lineOf(0, "a *** b") + lineOf(1, "***") + lineOf(2, "c *** d"));
    expect(page).toMatchObject({ next: 3, isFinal: false });
  });

  it("mask a secret that they cut, also when masks are added in its middle, and keep nothing of it in clear", async () => {
    const job = await rooms.newJob({ masks: { TOKEN: "hunter2hunter2" } });
    expect(await push(job, 0, lineOf(0, "a hunter2"))).toBe(200);
    expect(await job.rows("SELECT needle, depth, masked FROM carry")).toEqual([{ needle: 0, depth: 7, masked: 0 }]);
    expect(await job.arm(1, { LATER: "sesame-open", TOKEN: "hunter2hunter2" })).toBe("armed");
    expect(await push(job, 1, lineOf(1, "hunter2 b sesame-"))).toBe(200);
    await job.evict();
    expect(await push(job, 2, lineOf(2, "open c hunter2h"))).toBe(200);
    const page = await job.call("read", { from: 0, maxBytes: 100_000 });
    expect(page.events).toBe(lineOf(0, "a ") + lineOf(1, "*** b ") + lineOf(2, "*** c "));
    await job.call("finish", { result: "failed", notice: "the agent was lost" });
    const viewer = await new TestViewer(job, 2).ended();
    const heldBack = "notice The output ends in what may be the beginning of a secret: ***";
    expect(viewer.outputs).toEqual(["*** c ", heldBack, "notice the agent was lost", "end 3 failed"]);
    expect(await job.rows("SELECT * FROM carry")).toEqual([]);
  });

  it("of a higher claim cannot read what waited under the masks of a lower one, and mark it", async () => {
    const job = await rooms.newJob({ masks: { TOKEN: "hunter2hunter2" } });
    expect(await push(job, 0, lineOf(0, "a hunter2"))).toBe(200);
    expect(await job.arm(2, { OTHER: "something-else" })).toBe("armed");
    expect(await push(job, 1, lineOf(1, " b"), 2)).toBe(200);
    const page = await job.call("read", { from: 0, maxBytes: 100_000 });
    expect(page.events).toBe(lineOf(0, "a ") + lineOf(1, "*** b"));
  });

  it("store nothing while the masks cannot be opened", async () => {
    const job = await rooms.newJob({ masks: { TOKEN: "hunter2hunter2" } });
    await job.call("plant", { masksOpen: false });
    expect(await push(job, 0, lineOf(0, "hunter2hunter2"))).toBe(503);
    expect((await job.call("read", { from: 0, maxBytes: 1000 })).next).toBe(0);
    await job.call("plant", { masksOpen: true });
    expect(await push(job, 0, lineOf(0, "hunter2hunter2"))).toBe(200);
  });
});
