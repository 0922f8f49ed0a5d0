/** The Worker's memory while 250 MB flow past a viewer that never reads, over the same without that viewer. */
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { roomProcess } from "../test/faults/world.ts";
import type { Bench } from "./runner/bench.ts";
import { type LogRooms, openLogRooms } from "./runner/log-rooms.ts";

const flowBytes = 250_000_000;
const line = `${JSON.stringify({ event: "cmd_output", timestamp: 1, output: `${"y".repeat(1930)}\n` })}\n`;

/** The most that the process held, in MiB, with a Worker of its own so that no other run's garbage counts. */
async function peak(isStalled: boolean): Promise<number> {
  const rooms = await openLogRooms();
  try {
    await rooms.call("job", "plant", { logBytesMax: 1024 * 1024 * 1024 });
    await rooms.arm("job", []);
    const socket = isStalled ? await openStalled(rooms) : null;
    const most = await flow(rooms);
    socket?.terminate();
    return most;
  } finally {
    await rooms.close();
  }
}

async function openStalled(rooms: LogRooms): Promise<WebSocket> {
  const socket = new WebSocket(new URL("/view?job=job&from=0&who=stalled", rooms.url).href, {
    perMessageDeflate: false,
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  // The kernel's buffers fill, and then the Worker's.
  socket.pause();
  return socket;
}

async function flow(rooms: LogRooms): Promise<number> {
  const body = line.repeat(rooms.eventsPerPush);
  let most = 0;
  for (let at = 0; at * body.length < flowBytes; at++) {
    await rooms.pushBody("job", at * rooms.eventsPerPush, body);
    most = Math.max(most, residentMebibytes());
  }
  return most;
}

function residentMebibytes(): number {
  const status = readFileSync(`/proc/${roomProcess()}/status`, "utf8");
  return Number(/\nVmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

export const benches: readonly Bench[] = [
  {
    rows: [
      {
        name: "memory past a stalled viewer",
        unit: "MiB",
        better: "lower",
        goal: 8,
        floor: 16,
        compare: "difference",
      },
    ],
    pairs: 9,
    async open() {
      return {
        ours: async () => [await peak(true)],
        baseline: async () => [await peak(false)],
        close: () => Promise.resolve(),
      };
    },
  },
];
