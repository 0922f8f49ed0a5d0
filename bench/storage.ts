/** What a log costs to keep and to open: rows written for full pushes, and the first frame of a long finished log. */
import { WebSocket } from "ws";
import type { Bench } from "./runner/bench.ts";
import { type LogRooms, openLogRooms } from "./runner/log-rooms.ts";

const opensPerSample = 20;
const longLogBytes = 64 * 1024 * 1024;
const shortLogBytes = 64 * 1024;

/** A finished log of nearly so many bytes, in events of about 1 KB. */
async function finishedLog(rooms: LogRooms, job: string, bytes: number): Promise<void> {
  await rooms.arm(job, []);
  const line = `${JSON.stringify({ event: "cmd_output", timestamp: 1, output: `${"y".repeat(970)}\n` })}\n`;
  const events = Math.floor(bytes / line.length);
  for (let at = 0; at < events; at += rooms.eventsPerPush) {
    await rooms.pushBody(job, at, line.repeat(Math.min(rooms.eventsPerPush, events - at)));
  }
  await rooms.call(job, "finish", { result: "passed", notice: null });
}

/** Milliseconds from the connection's start to its first frame, of a viewer from the beginning; the mean of some. */
async function firstFrame(rooms: LogRooms, job: string): Promise<number> {
  let total = 0;
  for (let open = 0; open < opensPerSample; open++) {
    const started = performance.now();
    const socket = new WebSocket(new URL(`/view?job=${job}&from=0&who=viewer-${open}`, rooms.url).href, {
      perMessageDeflate: false,
    });
    await new Promise((resolve, reject) => {
      socket.once("message", resolve);
      socket.once("error", reject);
    });
    total += performance.now() - started;
    socket.terminate();
    // What is sent behind the first frame must not weigh on the next one.
    await rooms.call(job, "planted", null);
  }
  return total / opensPerSample;
}

export const benches: readonly Bench[] = [
  {
    rows: [{ name: "rows written per 1,000 lines", unit: "rows", better: "lower", goal: 3, floor: 5 }],
    async open() {
      const rooms = await openLogRooms();
      const ours = async (round: number) => {
        await rooms.arm(`rows-${round}`, []);
        let rows = 0;
        for (let push = 0; push < 5; push++) rows += await rooms.push(`rows-${round}`, push);
        return [rows / ((5 * rooms.eventsPerPush) / 1000)];
      };
      return { ours, baseline: null, close: rooms.close };
    },
  },
  {
    rows: [{ name: "first frame, 64 MiB over 64 KiB", unit: "ms", better: "lower", goal: 1.2, floor: 2 }],
    async open() {
      const rooms = await openLogRooms();
      await finishedLog(rooms, "long", longLogBytes);
      await finishedLog(rooms, "short", shortLogBytes);
      return {
        ours: async () => [await firstFrame(rooms, "long")],
        baseline: async () => [await firstFrame(rooms, "short")],
        close: rooms.close,
      };
    },
  },
];
