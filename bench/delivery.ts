/**
 * Append and delivery against a bare Durable Object that inserts and broadcasts the same bytes: full pushes, one after
 * the other as an agent sends them, until every viewer has every event. The latency of a push is from the moment it is
 * sent to the moment at which the last viewer has it.
 */
import type { Bench } from "./runner/bench.ts";
import type { BenchViewer } from "./runner/bench-viewer.ts";
import { type LogRooms, openLogRooms, type Room } from "./runner/log-rooms.ts";

/** Turns of each side in a measurement, and the pushes of a turn: a few seconds in all, whatever the crowd. */
const turns = 8;
const pushesOfTurn = (viewers: number) => (viewers < 2 ? 40 : viewers < 100 ? 10 : 4);
/** One at a time, so that what is measured is the way and not the queue. */
const latencyPushes = (viewers: number) => (viewers < 2 ? 400 : viewers < 100 ? 60 : 20);

/** A room of one side, with its crowd and what each of its deliveries took. */
interface Watched {
  readonly room: Room;
  readonly job: string;
  readonly crowd: readonly BenchViewer[];
  readonly times: number[];
}

async function openWatched(rooms: LogRooms, job: string, viewers: number, room: Room): Promise<Watched> {
  await rooms.arm(job, []);
  await rooms.call(job, "plant", { logBytesMax: 1024 * 1024 * 1024 });
  return { room, job, crowd: await rooms.watch(job, viewers, room), times: [] };
}

/** Milliseconds of pushes one after the other, from number `first` on, until everybody has every event. */
async function stretch(rooms: LogRooms, first: number, pushes: number, { room, job, crowd }: Watched): Promise<number> {
  const until = first + pushes;
  const started = performance.now();
  for (let push = first; push < until; push++) await rooms.push(job, push, room);
  await Promise.all(crowd.map((viewer) => viewer.until(until * rooms.eventsPerPush)));
  return performance.now() - started;
}

/** A few pushes to either side in turns: whatever disturbs the machine meets both. */
async function throughput(rooms: LogRooms, viewers: number, round: number) {
  const ours = await openWatched(rooms, `append-${viewers}-${round}`, viewers, "ours");
  const bare = await openWatched(rooms, `append-${viewers}-${round}`, viewers, "bare");
  for (const side of [ours, bare]) await stretch(rooms, 0, 1, side);
  const pushes = pushesOfTurn(viewers);
  const spent = { ours: 0, bare: 0 };
  for (let turn = 0; turn < turns; turn++) {
    for (const side of turn % 2 === 0 ? [ours, bare] : [bare, ours]) {
      spent[side.room] += await stretch(rooms, 1 + turn * pushes, pushes, side);
    }
  }
  for (const viewer of [...ours.crowd, ...bare.crowd]) viewer.close();
  const rate = (milliseconds: number) => (turns * pushes * rooms.eventsPerPush * 1000) / milliseconds;
  return { ours: [rate(spent.ours)], baseline: [rate(spent.bare)] };
}

async function deliver(rooms: LogRooms, job: string, push: number, { room, crowd, times }: Watched): Promise<void> {
  const started = performance.now();
  const delivered = crowd.map(async (viewer) => {
    await viewer.until((push + 1) * rooms.eventsPerPush);
    times.push(performance.now() - started);
  });
  await Promise.all([rooms.push(job, push, room), ...delivered]);
}

function p99(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN;
}

/** One push to either side in turns: whatever disturbs the machine meets both. */
async function latency(rooms: LogRooms, viewers: number, round: number) {
  const job = `latency-${viewers}-${round}`;
  const ours = await openWatched(rooms, job, viewers, "ours");
  const bare = await openWatched(rooms, job, viewers, "bare");
  for (let push = 0; push < latencyPushes(viewers); push++) {
    for (const side of push % 2 === 0 ? [ours, bare] : [bare, ours]) await deliver(rooms, job, push, side);
  }
  for (const viewer of [...ours.crowd, ...bare.crowd]) viewer.close();
  return { ours: [p99(ours.times)], baseline: [p99(bare.times)] };
}

const throughputRow = { unit: "events/s", better: "higher", goal: 0.9, floor: 0.8 } as const;

const append = (viewers: number): Bench => ({
  rows: [{ name: `append, ${viewers} viewers`, ...throughputRow }],
  pairs: 9,
  async open() {
    const rooms = await openLogRooms();
    return { both: (round) => throughput(rooms, viewers, round), close: rooms.close };
  },
});

/** Nothing dilutes what a frame's way through the edge costs: decision 12 says why it takes that way. */
const appendAlone = (viewers: number): Bench => ({
  rows: [{ name: `append on workerd alone, ${viewers} viewers`, ...throughputRow, floor: 0.7 }],
  pairs: 9,
  async open() {
    const rooms = await openLogRooms([], "workerd alone");
    return { both: (round) => throughput(rooms, viewers, round), close: rooms.close };
  },
});

const delivery = (viewers: number): Bench => ({
  rows: [{ name: `p99 delivery, ${viewers} viewers`, unit: "ms", better: "lower", goal: 1.3, floor: 1.5 }],
  pairs: 9,
  async open() {
    const rooms = await openLogRooms();
    return { both: (round) => latency(rooms, viewers, round), close: rooms.close };
  },
});

export const benches: readonly Bench[] = [
  ...[0, 1, 50, 200].map(append),
  ...[1, 50].map(appendAlone),
  ...[1, 50, 200].map(delivery),
];
