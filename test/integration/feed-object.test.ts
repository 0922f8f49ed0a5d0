/** The feed's object by itself on the real runtime: who stalls, who may read no more while nothing happens, and how many may come. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import { WebSocket } from "ws";
import { limits } from "../../src/protocol/limits.ts";
import { closeCodes } from "../../src/protocol/log-frames.ts";

process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.X_LOCAL_EXPLORER = "false";

const server = createTestHarness({ workers: [{ configPath: "test/integration/feed-worker/wrangler.toml" }] });
const sockets: WebSocket[] = [];
let base: URL;

beforeAll(async () => {
  base = (await server.listen()).url;
});
afterAll(() => server.close());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await call("plant", { forwardMs: 0, barred: [], changes: 0 });
});

async function call(name: "plant" | "ring" | "wake" | "heard" | "asked", body: object = {}): Promise<string> {
  const response = await fetch(new URL(`/${name}`, base).href, { method: "POST", body: JSON.stringify(body) });
  expect(response.status).toBe(200);
  return response.text();
}

async function open(who: string) {
  const socket = new WebSocket(new URL(`/open?who=${who}`, base).href, { perMessageDeflate: false });
  sockets.push(socket);
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  let told: () => void = () => undefined;
  let received = 0;
  socket.on("message", (data: Buffer) => {
    received += data.length;
    told();
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return {
    closed,
    received: () => received,
    until: (bytes: number) =>
      new Promise<void>((resolve) => {
        told = () => {
          if (received >= bytes) resolve();
        };
        told();
      }),
    ack: () => socket.send(`{"ack":${received}}`),
    isOpen: () => socket.readyState === WebSocket.OPEN,
  };
}

it("closes resumably who owed an acknowledgement for a minute, and nobody else", async () => {
  await call("plant", { changes: 5 });
  const [stalled, prompt] = [await open("stalled"), await open("prompt")];
  await Promise.all([stalled.until(1), prompt.until(1)]);
  const first = prompt.received();
  prompt.ack();
  await expect.poll(() => call("heard")).toBe("1");
  await call("plant", { changes: 10, forwardMs: (limits.viewerStallSeconds + 1) * 1000 });
  await call("wake");
  await prompt.until(first + 1);
  await call("ring");
  expect(await stalled.closed).toBe(closeCodes.stalled);
  expect(prompt.isOpen()).toBe(true);
});

it("cuts off who may read no more at the next look, though no job changes", async () => {
  const [revoked, reader] = [await open("revoked"), await open("reader")];
  await call("plant", { barred: ["revoked"] });
  await call("ring");
  expect(await revoked.closed).toBe(closeCodes.gone);
  expect(reader.isOpen()).toBe(true);
});

it("lets changes wake it before it reads for somebody new, and for as long as somebody is there", async () => {
  const asked = async (): Promise<string[]> => JSON.parse(await call("asked"));
  const minutes = (count: number) => call("plant", { changes: 3, forwardMs: count * 60_000 });
  await minutes(60);
  await asked();
  const reader = await open("reader");
  await reader.until(1);
  reader.ack();
  // A change that found nobody to wake was made before: it is read here.
  expect((await asked()).slice(0, 2)).toEqual(["watched", "changes"]);
  await open("another");
  await call("wake");
  expect(await asked()).not.toContain("watched");
  // It holds for five minutes, and the alarm rings every minute.
  for (const at of [61, 62, 63]) {
    await minutes(at);
    await call("ring");
  }
  const [first, ...others] = (await asked()).filter((each) => each === "watched");
  expect([first, others]).toEqual(["watched", []]);
  for (const socket of sockets.splice(0)) socket.terminate();
  await minutes(120);
  await expect.poll(() => call("ring").then(asked)).toEqual([]);
});

it("takes so many sockets of everybody and no more; who came before keeps its place", async () => {
  for (let at = 0; at < limits.feedSockets; at += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, each) => open(`person-${Math.floor((at + each) / 5)}`)));
  }
  const late = await open("latecomer");
  expect(await late.closed).toBe(closeCodes.crowded);
  await call("plant", { changes: 1 });
  const last = sockets.at(-2);
  const told = new Promise((resolve) => last?.once("message", resolve));
  await call("wake");
  await told;
});
