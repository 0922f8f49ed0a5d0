/** The edge's end of a socket, against readers that close and take nothing: what lies here for them is counted until it is gone. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import { WebSocket } from "ws";
import { limits } from "../../src/protocol/limits.ts";
import { closeCodes } from "../../src/protocol/log-frames.ts";
import { encodeMasks } from "../../src/worker/logs/needles.ts";
import type { TestLogRoom } from "./log-room-worker/worker.ts";

process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.X_LOCAL_EXPLORER = "false";

const server = createTestHarness({ workers: [{ configPath: "test/integration/log-room-worker/wrangler.toml" }] });
const left: WebSocket[] = [];
let base: URL;

beforeAll(async () => {
  base = (await server.listen()).url;
});
afterAll(() => server.close());
afterEach(() => {
  for (const socket of left.splice(0)) socket.terminate();
});

async function post(path: string, body: string): Promise<string> {
  const response = await fetch(new URL(path, base).href, { method: "POST", body });
  expect(response.status).toBe(200);
  return response.text();
}

/** A room with a log of so many events, each so many bytes long. */
async function fillRoom(job: string, events: number, bytes: number): Promise<void> {
  const masks = new TextDecoder().decode(encodeMasks([]));
  await post(`/arm?job=${job}`, JSON.stringify({ claimNumber: 1, masks, alarmAt: Date.now() + 3_600_000 }));
  const output = JSON.stringify("x".repeat(bytes));
  for (let at = 0; at < events; at++) {
    const line = `{"event":"cmd_output","timestamp":${at},"output":${output}}\n`;
    await post(`/push?job=${job}&start_from=${at}&claim=1`, line);
  }
}

async function heard(job: string): Promise<number> {
  const planted: Awaited<ReturnType<TestLogRoom["planted"]>> = JSON.parse(await post(`/planted?job=${job}`, "null"));
  return planted.heard;
}

/** A reader, and how many bytes it had after each frame. */
async function open(job: string, who: string, acks: boolean) {
  const socket = new WebSocket(new URL(`/view?job=${job}&from=0&who=${who}`, base).href, { perMessageDeflate: false });
  left.push(socket);
  const totals: number[] = [];
  const received = () => totals.at(-1) ?? 0;
  let code: number | undefined;
  socket.on("message", (data: Buffer) => {
    totals.push(received() + data.length);
    if (acks) socket.send(`{"ack":${received()}}`);
  });
  socket.once("close", (each) => {
    code = each;
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return { socket, totals, received, code: () => code };
}

/** 10 of the large log's first bytes, as much as goes out unacknowledged, and one of the small are just allowed. */
const sockets = [...Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? "large" : "wide")), "small"];
const smallBytes = 330_000;

/** Opens as many sockets of one principal as are allowed to take nothing; how many were cut off? */
async function cutOff(who: string): Promise<number> {
  const readers = await Promise.all(sockets.map((job) => open(job, who, false)));
  const most = (at: number) => (sockets[at] === "small" ? smallBytes : limits.viewerCreditBytes);
  const isSettled = () => readers.every(({ received, code }, at) => received() >= most(at) || code() !== undefined);
  await expect.poll(isSettled, { timeout: 5000 }).toBe(true);
  for (const { socket } of readers) socket.terminate();
  return readers.filter(({ code }) => code() === closeCodes.stalled).length;
}

it("counts what a reader has not taken behind the reader's own close too, until its connection is gone", async () => {
  await Promise.all([
    fillRoom("large", 24, 1_000_000),
    fillRoom("wide", 2, 1_000_000),
    fillRoom("small", 1, smallBytes),
  ]);
  expect(await cutOff("ann")).toBe(0);
  const honest = await open("large", "honest", true);
  await expect.poll(honest.received, { timeout: 10_000 }).toBeGreaterThan(24_000_000);
  const bob = await open("large", "bob", false);
  bob.socket.pause();
  // He knows from another socket what to acknowledge. Not all at once, or he would be cut off as a flood.
  for (const total of honest.totals) {
    bob.socket.send(`{"ack":${total}}`);
    await heard("large");
  }
  bob.socket.close(1000);
  await heard("large");
  expect(await cutOff("bob")).toBeGreaterThan(0);
  bob.socket.terminate();
  await expect.poll(() => cutOff("bob"), { timeout: 10_000, interval: 500 }).toBe(0);
});
