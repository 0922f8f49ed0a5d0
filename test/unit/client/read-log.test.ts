/** A log read page by page, from an API that answers as the server's plain read does. */
import { expect, test } from "vitest";
import { UnexpectedAnswer } from "../../../src/client/errors.ts";
import { readLog, withNotices } from "../../../src/client/read-log.ts";
import type { LogPage } from "../../../src/protocol/log-events.ts";

const output = (text: string) => ({ event: "cmd_output", timestamp: 1, output: text }) as const;

/** `pages` by the position that is asked for. */
async function read(pages: Record<number, LogPage>, from = 0): Promise<string[]> {
  const page = async (position: number) => {
    const found = pages[position];
    if (found === undefined) throw new Error(`nobody should ask for position ${position}`);
    return found;
  };
  const records: string[] = [];
  for await (const record of readLog(page, from)) {
    if (record.kind === "gap") records.push(`gap ${record.position} to ${record.until}`);
    else records.push(`${record.position} ${record.event.event === "cmd_output" ? record.event.output : ""}`);
  }
  return records;
}

test("events keep their own numbers after a gap, and the gap is told in its place", async () => {
  const pages = {
    0: { events: [output("a"), output("b")], next: 2 },
    2: { events: [], next: 7 },
    7: { events: [output("c")], next: null },
  };
  expect(await read(pages)).toEqual(["0 a", "1 b", "gap 2 to 7", "7 c"]);
});

test("a log may begin with a gap, and be asked for from inside one", async () => {
  const pages = { 0: { events: [], next: 3 }, 2: { events: [], next: 3 }, 3: { events: [output("a")], next: null } };
  expect(await read(pages)).toEqual(["gap 0 to 3", "3 a"]);
  expect(await read(pages, 2)).toEqual(["gap 2 to 3", "3 a"]);
});

test("a running log is read as far as it goes, once", async () => {
  expect(await read({ 0: { events: [], next: 0 } })).toEqual([]);
  expect(await read({ 0: { events: [output("a")], next: 1 }, 1: { events: [], next: 1 } })).toEqual(["0 a"]);
});

test("an answer that would number events twice is refused", async () => {
  const pages = { 0: { events: [output("a"), output("b")], next: 1 } };
  await expect(read(pages)).rejects.toThrow(UnexpectedAnswer);
});

test("what the server says stands before the event of its position, once, and behind the last", async () => {
  const page = async (position: number): Promise<LogPage> =>
    position === 0 ? { events: [output("a"), output("b")], next: 5 } : { events: [output("c")], next: null };
  const notices = [0, 1, 1, 4, 6].map((position, at) => ({ position, text: `notice ${at}` }));
  const told = async (from: number) => {
    const records: string[] = [];
    const pages = readLog((position) => page(position === 2 ? 5 : position), from);
    for await (const record of withNotices(pages, notices, from)) {
      records.push(record.kind === "notice" ? record.text : `${record.kind} ${record.position}`);
    }
    return records;
  };
  const all = ["notice 0", "event 0", "notice 1", "notice 2", "event 1", "gap 2", "notice 3", "event 5", "notice 4"];
  expect(await told(0)).toEqual(all);
  expect(await told(5)).toEqual(["event 5", "notice 4"]);
});
