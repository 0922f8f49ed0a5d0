/**
 * Append and delivery against a bare Durable Object that inserts and broadcasts the same bytes: full pushes, one after
 * the other as an agent sends them, until every viewer has every event. The latency of a push is from the moment it is
 * sent to the moment at which the last viewer has it.
 */
import type { Bench } from "./runner/bench.ts";
import type { BenchViewer } from "./runner/bench-viewer.ts";
import { type LogRooms, openLogRooms, type Room } from "./runner/log-rooms.ts";

/** So that a measurement takes a second or two whatever the crowd: shorter ones measure the moment. */
const pushesOf = (viewers: number) => (viewers < 2 ? 80 : viewers < 100 ? 24 : 12);
/** One at a time, so that what is measured is the way and not the queue. */
const latencyPushes = (viewers: number) => (viewers < 2 ? 400 : viewers < 100 ? 60 : 20);

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

/** A room of one side, with its crowd and what each of its deliveries took. */
interface Watched {
  readonly room: Room;
  readonly crowd: readonly BenchViewer[];
  readonly times: number[];
}

async function openWatched(rooms: LogRooms, job: string, viewers: number, room: Room): Promise<Watched> {
  await rooms.arm(job, []);
  await rooms.call(job, "plant", { logBytesMax: 1024 * 1024 * 1024 });
  return { room, crowd: await rooms.watch(job, viewers, room), times: [] };
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

const append = (viewers: number): Bench => ({
  rows: [{ name: `append, ${viewers} viewers`, unit: "events/s", better: "higher", goal: 0.9, floor: 0.8 }],
  pairs: 9,
  async open() {
    const rooms = await openLogRooms();
    const of = (room: Room) => async (round: number) => [
      await throughput(rooms, `${room}-${viewers}-${round}`, viewers, room),
    ];
    return { ours: of("ours"), baseline: of("bare"), close: rooms.close };
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

export const benches: readonly Bench[] = [...[0, 1, 50, 200].map(append), ...[1, 50, 200].map(delivery)];
