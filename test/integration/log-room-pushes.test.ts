/** Pushes to a log room: which are taken, which are refused and how, each stored once. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Job,
  type LogRooms,
  lineOf,
  lines,
  outputsOf,
  push,
  startLogRooms,
  TestViewer,
} from "../support/log-room.ts";

let rooms: LogRooms;

beforeAll(async () => {
  rooms = await startLogRooms();
});
afterAll(() => rooms.close());

describe("pushes", () => {
  it("of a lower claim are refused once a higher one was armed, as is arming for it", async () => {
    const job = await rooms.newJob();
    expect(await push(job, 0, lines(0, 1))).toBe(200);
    expect(await job.arm(2)).toBe("armed");
    expect(await job.arm(2)).toBe("armed");
    expect(await job.arm(1)).toBe("stale_claim");
    expect(await push(job, 1, lines(1, 2), 1)).toBe(422);
    expect(await push(job, 1, lines(1, 2), 2)).toBe(200);
    expect(await push(job, 1, lines(1, 2), 3)).toBe(422);
  });

  it("to a finished log are refused, its masks are gone, and the first result stands", async () => {
    const job = await rooms.newJob({ masks: { TOKEN: "hunter2hunter2" } });
    await push(job, 0, lines(0, 2));
    await job.call("finish", { result: "failed", notice: "the agent was lost" });
    await job.call("finish", { result: "passed", notice: "again" });
    expect(await push(job, 0, lines(0, 2))).toBe(422);
    expect(await push(job, 2, lines(2, 3))).toBe(422);
    expect(await job.call("notice", { text: "too late" })).toBe(false);
    expect(await job.arm(3)).toBe("closed");
    expect(await job.rows("SELECT count(*) AS masks FROM masks")).toEqual([{ masks: 0 }]);
    const viewer = await new TestViewer(job, 1).ended();
    expect(viewer.outputs).toEqual(["line 1\n", "notice the agent was lost", "end 2 failed"]);
    expect((await job.call("planted")).alarm).toSatisfy((at: number | null) => at === null || at < Date.now() + 61_000);
  });

  it("over the caps are 422, never 413, with one visible notice each, and store nothing", async () => {
    const job = await rooms.newJob();
    expect(await push(job, 0, lines(0, 2001))).toBe(422);
    expect(await push(job, 0, lines(0, 2001))).toBe(422);
    expect(await push(job, 0, lineOf(0, "a".repeat(17 * 1024 * 1024)))).toBe(422);
    await job.call("plant", { logBytesMax: 1000 });
    expect(await push(job, 0, lines(0, 5))).toBe(200);
    expect(await push(job, 5, lines(5, 50))).toBe(422);
    expect(await push(job, 5, lines(5, 6))).toBe(422);
    expect(await push(job, 3, lines(3, 5))).toBe(200);
    await job.call("finish", { result: "passed", notice: null });
    const viewer = await new TestViewer(job, 0).ended();
    expect(viewer.outputs.map((text) => text.replace(/(notice The \w+) .*/, "$1"))).toEqual([
      "notice The agent",
      "notice The agent",
      ...outputsOf(0, 5),
      "notice The log",
      "end 5 passed",
    ]);
  });

  it("that are malformed are 400, and an event of 10 MB is taken whole", async () => {
    const job = await rooms.newJob();
    expect(await push(job, 0, "<html></html>")).toBe(400);
    expect(await push(job, Number.NaN, lines(0, 1))).toBe(400);
    expect(await push(job, -1, lines(0, 1))).toBe(400);
    expect(await push(job, 0, lineOf(0, "a".repeat(10_000_000)))).toBe(200);
    const page = await job.call("read", { from: 0, maxBytes: 1000 });
    expect(page.events.length).toBe(lineOf(0, "a".repeat(10_000_000)).length);
  });

  it("are judged by what holds when their body has come: other masks, another claim, the job's end", async () => {
    for (const [change, expected, stored] of [
      [(job: Job) => job.arm(1, { TOKEN: "hunter2hunter2", LATER: "sesame-open" }), 200, "*** ***"],
      [(job: Job) => job.arm(2), 422, null],
      [(job: Job) => job.call("finish", { result: "stopped", notice: null }), 422, null],
    ] as const) {
      const job = await rooms.newJob({ masks: { TOKEN: "hunter2hunter2" } });
      expect(await push(job, 0, "")).toBe(200);
      const line = new TextEncoder().encode(lineOf(0, "hunter2hunter2 sesame-open"));
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(line.slice(0, 20));
          await new Promise((resolve) => setTimeout(resolve, 100));
          await change(job);
          controller.enqueue(line.slice(20));
          controller.close();
        },
      });
      const url = job.url("push", { start_from: 0, claim: 1 });
      const response = await fetch(url.href, { method: "POST", body, duplex: "half" } as RequestInit);
      expect(response.status).toBe(expected);
      const { events } = await job.call("read", { from: 0, maxBytes: 1000 });
      expect(events).toBe(stored === null ? "" : lineOf(0, stored));
    }
  });

  it("that come at once from a retrying agent are stored once", async () => {
    const job = await rooms.newJob({ masks: { TOKEN: "hunter2hunter2" } });
    const statuses = await Promise.all(Array.from({ length: 8 }, (_, index) => push(job, 0, lines(0, 100 + index))));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await job.call("finish", { result: "passed", notice: null });
    const viewer = await new TestViewer(job, 0).ended();
    expect(viewer.outputs).toEqual([...outputsOf(0, 107), "end 107 passed"]);
  });
});
