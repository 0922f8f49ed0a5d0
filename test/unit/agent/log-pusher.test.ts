import { expect, test } from "vitest";
import type { Clock } from "../../../src/agent/clock.ts";
import { EventSpool } from "../../../src/agent/event-spool.ts";
import { LogPusher } from "../../../src/agent/log-pusher.ts";
import { outcomeOf, pushDelayMs } from "../../../src/agent/push-decision.ts";
import { fakeClock } from "./fake-clock.ts";

interface Sent {
  url: string;
  token: string | undefined;
  body: string | undefined;
}

function pusher(statuses: number[], refresh: () => string | null = () => "LOG2") {
  const sent: Sent[] = [];
  const spool = new EventSpool(() => {});
  const clock = fakeClock();
  const create = () =>
    new LogPusher({
      spool,
      target: { url: "http://hub/logs/J", token: "LOG1" },
      refresh: async () => refresh(),
      clock,
      log: () => {},
      fetch: async (url, init) => {
        sent.push({ url, token: init.headers.Authorization, body: init.body });
        const status = statuses.length > 1 ? (statuses.shift() ?? 0) : (statuses[0] ?? 0);
        if (status === 0) throw new TypeError("fetch failed");
        return { status, text: async () => "" };
      },
    });
  return { spool, sent, clock, create };
}

test("only 200 acknowledges, only 422 ends; every other answer, and none, is sent again", () => {
  expect(outcomeOf(200)).toBe("stored");
  expect(outcomeOf(401)).toBe("unauthorized");
  expect(outcomeOf(422)).toBe("closed");
  for (const status of [0, 201, 204, 302, 400, 403, 404, 413, 429, 500, 503]) expect(outcomeOf(status)).toBe("failed");
});

test("pushes come within 0.3 to 0.7 s, faster when flushing, slower in trouble, at once with a backlog", () => {
  const at = (random: number): Clock => ({ ...fakeClock(), random: () => random });
  const calm = { outcome: "stored", flushing: false, backlog: false } as const;
  expect([pushDelayMs(calm, at(0)), pushDelayMs(calm, at(0.999))]).toEqual([300, 699]);
  expect(pushDelayMs({ ...calm, flushing: true, outcome: "failed" }, at(0))).toBe(250);
  expect(pushDelayMs({ ...calm, outcome: "failed" }, at(0))).toBe(1000);
  expect(pushDelayMs({ ...calm, backlog: true }, at(0.5))).toBe(0);
});

test("a push that failed is sent again from the same position, with what came since", async () => {
  const { spool, sent, create } = pusher([0, 503, 200]);
  spool.append("a\n");
  const log = create();
  spool.append("b\n");
  await log.flush();
  expect(sent.map(({ url, body }) => [url, body])).toEqual([
    ["http://hub/logs/J?start_from=0", "a\n"],
    ["http://hub/logs/J?start_from=0", "a\nb\n"],
    ["http://hub/logs/J?start_from=0", "a\nb\n"],
  ]);
});

test("after 401 the same batch goes out at once with the new token", async () => {
  const { spool, sent, clock, create } = pusher([401, 200]);
  spool.append("a\n");
  const log = create();
  await log.flush();
  expect(sent.map(({ token, body }) => [token, body])).toEqual([
    ["Bearer LOG1", "a\n"],
    ["Bearer LOG2", "a\n"],
  ]);
  expect(clock.slept.filter((ms) => ms < 60_000)).toEqual([]);
});

test("a refresh that fails is tried again with the next push", async () => {
  const tokens = [null, "LOG3"];
  const { spool, sent, create } = pusher([401, 401, 200], () => tokens.shift() ?? null);
  spool.append("a\n");
  await create().flush();
  expect(sent.map(({ token }) => token)).toEqual(["Bearer LOG1", "Bearer LOG1", "Bearer LOG3"]);
});

test("after 422 nothing is sent any more, and a flush ends at once", async () => {
  const { spool, sent, create } = pusher([422]);
  spool.append("a\n");
  const log = create();
  await log.flush();
  spool.append("b\n");
  expect(sent).toHaveLength(1);
  expect(spool.isEmpty).toBe(true);
});

test("a flush that the server never lets end is given up after 60 s", async () => {
  const { spool, sent, clock, create } = pusher([403]);
  spool.append("a\n");
  await create().flush();
  expect(clock.monotonic()).toBeGreaterThanOrEqual(60_000);
  expect(clock.monotonic()).toBeLessThan(61_000);
  expect(sent.length).toBeGreaterThan(100);
});

test("nothing new makes no request", async () => {
  const { sent, create } = pusher([200]);
  await create().flush();
  expect(sent).toEqual([]);
});
