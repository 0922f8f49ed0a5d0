/**
 * Append and delivery against a bare Durable Object that inserts and broadcasts the same bytes: full pushes, one after
 * the other as an agent sends them, until every viewer has every event. The latency of a push is from the moment it is
 * sent to the moment at which the last viewer has it.
 */
import type { Bench } from "./runner/bench.ts";
import { type LogRooms, openLogRooms, type Room } from "./runner/log-rooms.ts";

/** So that a measurement takes about a second whatever the crowd. */
const pushesOf = (viewers: number) => (viewers < 2 ? 40 : viewers < 100 ? 16 : 6);
/** One at a time, so that what is measured is the way and not the queue. */
const latencyPushes = (viewers: number) => (viewers < 100 ? 50 : 10);

async function throughput(rooms: LogRooms, job: string, viewers: number, room: Room): Promise<number> {
  await rooms.arm(job, []);
  const crowd = await rooms.watch(job, viewers, room);
  await rooms.push(job, 0, room);
  await Promise.all(crowd.map((viewer) => viewer.until(rooms.eventsPerPush)));
  const pushes = pushesOf(viewers);
  const started = performance.now();
  for (let push = 1; push <= pushes; push++) await rooms.push(job, push, room);
  await Promise.all(crowd.map((viewer) => viewer.until((pushes + 1) * rooms.eventsPerPush)));
  const seconds = (performance.now() - started) / 1000;
  for (const viewer of crowd) viewer.close();
  return (pushes * rooms.eventsPerPush) / seconds;
}

async function latency(rooms: LogRooms, job: string, viewers: number, room: Room): Promise<number> {
  await rooms.arm(job, []);
  const crowd = await rooms.watch(job, viewers, room);
  const times: number[] = [];
  for (let push = 0; push < latencyPushes(viewers); push++) {
    const started = performance.now();
    const delivered = crowd.map(async (viewer) => {
      await viewer.until((push + 1) * rooms.eventsPerPush);
      times.push(performance.now() - started);
    });
    await Promise.all([rooms.push(job, push, room), ...delivered]);
  }
  for (const viewer of crowd) viewer.close();
  return times.sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN;
}

type Measured = typeof throughput;

/** Both sides of one figure, with rooms of their own for each measurement. */
function bench(row: Bench["rows"][number], viewers: number, measured: Measured): Bench {
  return {
    rows: [row],
    async open() {
      const rooms = await openLogRooms();
      const of = (room: Room) => async (round: number) => [
        await measured(rooms, `${room}-${viewers}-${round}`, viewers, room),
      ];
      return { ours: of("ours"), baseline: of("bare"), close: rooms.close };
    },
  };
}

const crowds = [0, 1, 50, 200];

export const benches: readonly Bench[] = [
  ...crowds.map((viewers) =>
    bench(
      { name: `append, ${viewers} viewers`, unit: "events/s", better: "higher", goal: 0.9, floor: 0.8 },
      viewers,
      throughput,
    ),
  ),
  ...crowds
    .slice(1)
    .map((viewers) =>
      bench(
        { name: `p99 delivery, ${viewers} viewers`, unit: "ms", better: "lower", goal: 1.3, floor: 1.5 },
        viewers,
        latency,
      ),
    ),
];
