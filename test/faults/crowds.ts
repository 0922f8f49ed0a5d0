/** Viewers that do harm: they read nothing, or come in floods. The good viewer and the producer must not notice. */
import { WebSocket } from "ws";
import { limits } from "../../src/protocol/limits.ts";
import { bodyOf, differences, Model } from "./model.ts";
import type { RoomFault, Trial } from "./room-fault.ts";
import { FaultViewer } from "./viewer.ts";
import { pause } from "./world.ts";

interface Crowd {
  sockets: WebSocket[];
  /** Bytes each was sent. */
  received: number[];
}

function openCrowd({ world, job }: Trial, size: number, who: (index: number) => string): Crowd {
  const received = Array.from({ length: size }, () => 0);
  const sockets = received.map((_, index) => {
    const url = world.at(`/view?job=${job}&from=0&who=${who(index)}`);
    const socket = new WebSocket(url, ["signalbox.v1"], { perMessageDeflate: false });
    socket.on("message", (data: Buffer) => {
      received[index] = (received[index] ?? 0) + data.length;
    });
    socket.on("error", () => undefined);
    return socket;
  });
  return { sockets, received };
}

/** Pushes `count` batches of `size` bytes past whoever watches; answers what the good viewer saw amiss. */
async function pushPast(
  { world, job }: Trial,
  { count, size, between }: { count: number; size: number; between?: () => void },
) {
  const good = new FaultViewer(world, job, { who: "good" });
  const model = new Model();
  const outputs = Array.from({ length: 20 }, (_, index) => `${index} ${"w".repeat(size / 20)}\n`);
  for (let at = 0; at < count; at++) {
    // Who got in is served a first time before it begins to misbehave.
    if (at > 0) between?.();
    const status = await world.push(job, model.head, bodyOf(model.head, outputs));
    if (status !== 200) return [`a push was answered ${status}`];
    model.acknowledged(model.head, outputs);
  }
  await world.call(job, "finish", { result: "passed", notice: null });
  await good.ended(20_000);
  if (good.broken !== null) return [`the good viewer: ${good.broken}`];
  const again = good.connections > 1 ? ["the good viewer was cut off"] : [];
  return [...again, ...differences("the good viewer", model.ended("passed"), good.shown)];
}

async function stalled(trial: Trial): Promise<string[]> {
  const { world, job } = trial;
  await world.arm(job, []);
  const crowd = openCrowd(trial, 5, (index) => `stalled-${index}`);
  const violations = await pushPast(trial, { count: 8, size: 1_000_000 });
  // One frame may begin while there is credit left for one byte of it.
  const most = limits.viewerCreditBytes + limits.viewerFrameBytes + 1024;
  for (const [at, bytes] of crowd.received.entries()) {
    if (bytes > most) violations.push(`stalled viewer ${at} was sent ${bytes} bytes, over its credit`);
    if (bytes === 0) violations.push(`stalled viewer ${at} was sent nothing`);
  }
  for (const socket of crowd.sockets) socket.terminate();
  return violations;
}

async function flooded(trial: Trial): Promise<string[]> {
  const { world, job, random } = trial;
  await world.arm(job, []);
  const crowd = openCrowd(trial, 60, () => "mallory");
  const noise = ["ping", '{"ack":0}', "x", "x".repeat(5000), '{"ack":1e308}', "[".repeat(900)];
  const between = () => {
    for (const socket of crowd.sockets) {
      if (socket.readyState !== WebSocket.OPEN) continue;
      for (let count = 0; count < 20; count++) socket.send(noise[random(random(2) === 0 ? 1 : noise.length)] ?? "");
    }
  };
  // All of them are answered before the log moves: who got in gets its first frame.
  await pause(300);
  const violations = await pushPast(trial, { count: 8, size: 100_000, between });
  const served = crowd.received.filter((bytes) => bytes > 100).length;
  if (served > limits.viewersPerPrincipal) violations.push(`${served} sockets of one principal were served`);
  for (const socket of crowd.sockets) socket.terminate();
  return violations;
}

async function talkative(trial: Trial): Promise<string[]> {
  const { world, job, random } = trial;
  await world.arm(job, []);
  const crowd = openCrowd(trial, 3, (index) => `talker-${index}`);
  const between = () => {
    for (const socket of crowd.sockets) {
      if (socket.readyState !== WebSocket.OPEN) continue;
      for (let count = 1000 + random(1000); count > 0; count--) socket.send('{"ack":0}');
    }
  };
  const violations = await pushPast(trial, { count: 4, size: 100_000, between });
  const { heard } = (await world.call(job, "planted", null)) as { heard: number };
  // The good viewer's own are few.
  const most = (crowd.sockets.length + 1) * limits.socketMessagesSaved;
  if (heard > most) violations.push(`the room was woken by ${heard} messages`);
  for (const socket of crowd.sockets) socket.terminate();
  return violations;
}

export const crowds: readonly RoomFault[] = [
  {
    name: "stall",
    promise: "viewers that acknowledge nothing are sent their credit and no more; others see all",
    planted: "no_credit",
    trials: 5,
    run: stalled,
  },
  {
    name: "flood",
    promise: "a flood of sockets and frames of one principal harms neither the producer nor another viewer",
    planted: "no_socket_limit",
    trials: 5,
    run: flooded,
  },
  {
    name: "talk",
    promise: "readers that send messages without end are cut off at the edge, and the room hears of few",
    planted: "no_message_limit",
    trials: 5,
    run: talkative,
  },
];
