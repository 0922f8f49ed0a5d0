import { expect, test } from "vitest";
import { EventSpool } from "../../../src/agent/event-spool.ts";

function spool() {
  const fulls: boolean[] = [];
  const limits = { fullBytes: 20, readyBytes: 10, batchEvents: 3, batchBytes: 12 };
  return { fulls, spool: new EventSpool((full) => fulls.push(full), limits) };
}

test("a batch holds as many events as one push may carry, by count and by bytes", () => {
  const { spool: events } = spool();
  for (const line of ["a\n", "b\n", "c\n", "d\n"]) events.append(line);
  expect(events.batch()).toEqual({ startFrom: 0, count: 3, body: "a\nb\nc\n" });
  const wide = spool().spool;
  for (const line of ["ééé\n", "é\n", "é\n"]) wide.append(line);
  expect(wide.batch()?.count).toBe(2);
});

test("an event larger than a push may be goes out alone", () => {
  const { spool: events } = spool();
  events.append(`${"x".repeat(50)}\n`);
  events.append("y\n");
  expect(events.batch()?.count).toBe(1);
});

test("until it is acknowledged the same position is offered again, grown by what came since", () => {
  const { spool: events } = spool();
  events.append("a\n");
  expect(events.batch()).toEqual({ startFrom: 0, count: 1, body: "a\n" });
  events.append("b\n");
  const grown = events.batch();
  expect(grown).toEqual({ startFrom: 0, count: 2, body: "a\nb\n" });
  if (grown) events.acknowledge(grown);
  expect(events.batch()).toBeNull();
  events.append("c\n");
  expect(events.batch()).toEqual({ startFrom: 2, count: 1, body: "c\n" });
  expect(() => grown && events.acknowledge(grown)).toThrow("twice");
});

test("it says when it is full and when it is ready again, and keeps everything meanwhile", () => {
  const { spool: events, fulls } = spool();
  for (let i = 0; i < 11; i++) events.append("x\n");
  expect(fulls).toEqual([true]);
  expect(events.isFull).toBe(true);
  let received = "";
  for (let batch = events.batch(); batch !== null; batch = events.batch()) {
    received += batch.body;
    events.acknowledge(batch);
  }
  expect(fulls).toEqual([true, false]);
  expect(received).toBe("x\n".repeat(11));
});

test("once the server closed the log nothing waits, nothing is kept, and nobody is held up", () => {
  const { spool: events, fulls } = spool();
  for (let i = 0; i < 11; i++) events.append("x\n");
  events.discard();
  events.append("y\n");
  expect(events.batch()).toBeNull();
  expect(events.isEmpty).toBe(true);
  expect(fulls).toEqual([true, false]);
});
