/** Lines and matches of a log by API, on the real Worker. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LogMatch } from "../../src/protocol/log-reading.ts";
import { createWorld, finishJob, output, push, takeJob, type World } from "../support/api.ts";
import { startHarness } from "../support/harness.ts";
import { seeded } from "../unit/logs/seeded.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld(await startHarness());
});
afterAll(() => world.harness.close());

async function runningJob(over: Record<string, unknown> = {}) {
  const jobId = await world.startJob(over);
  const agent = await world.agent();
  const { logToken } = await takeJob(world, agent);
  const add = async (startFrom: number, events: readonly unknown[]) =>
    expect((await push(world, logToken, jobId, startFrom, events)).status).toBe(200);
  return { jobId, agent, logToken, add };
}

const lineOf = (text: string) => `${JSON.stringify(output(text))}\n`;

const read = (jobId: string, path: string, query: Record<string, string | number>) => {
  const search = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return world.as(world.owner, "GET", `/api/v1/logs/${jobId}/${path}?${search}`);
};

/** Everything that a search finds, call after call, and how many calls it took. */
async function searchAll(jobId: string, query: Record<string, string | number>) {
  const matches: LogMatch[] = [];
  let cursor: string | null = null;
  for (let calls = 1; ; calls++) {
    const { status, body } = await read(jobId, "search", cursor === null ? query : { ...query, cursor });
    expect(status).toBe(200);
    matches.push(...body.matches);
    cursor = body.next;
    if (body.at_end) return { matches, calls, next: cursor };
  }
}

describe("a line", () => {
  it("is the one that the text download has, with the event that it begins in, over gaps and large events", async () => {
    const { jobId, agent, add } = await runningJob();
    await add(0, [{ event: "cmd_started", timestamp: 1, directive: "make" }, output("one\ntw"), output("o\n\nfo")]);
    await add(5, [output("ur\n"), output("x".repeat(1_500_000)), output("x\nlast")]);
    const line = async (at: number) => (await read(jobId, "line", { at })).body;
    expect(await line(7)).toEqual({ line: 7, position: 7, text: "last", complete: false });
    await finishJob(world, agent, jobId);
    await world.harness.evictRoom(jobId, "close");
    const text = (await world.as(world.owner, "GET", `/api/v1/logs/${jobId}/text`)).text.split("\n");
    for (const [at, position] of [0, 1, 1, 2, 2, 6, 7].entries()) {
      const whole = text[at] ?? "";
      const shown = { text: whole.slice(0, 65_536), complete: whole.length <= 65_536 };
      expect(await line(at + 1)).toEqual({ line: at + 1, position, ...shown });
    }
    expect((await read(jobId, "line", { at: 8 })).status).toBe(404);
    for (const at of ["0", "-1", "1.5", "x", "", "9".repeat(16)]) {
      const answer = await read(jobId, "line", { at });
      expect([answer.status, answer.body.errors?.[0]?.pointer]).toEqual([400, "?at"]);
    }
  });
});

describe("any part of a text", () => {
  it("is what the whole has there, with and without terminal sequences, and so is any line", async () => {
    const { jobId, agent, add } = await runningJob();
    const below = seeded(17);
    const pieces = ["\u001b[31m", "\u001b[", "1m", "\u001b]0;t", "\u0007", "\n", "\r\n", "漢🦀 é", "word ", "\u009b4m"];
    const event = () => output(Array.from({ length: below(20_000) }, () => pieces[below(pieces.length)]).join(""));
    // Each push leaves a gap behind it, and one event is larger than a page.
    for (let at = 0; at < 20; at++) await add(at * 40, Array.from({ length: 15 }, event));
    await add(900, [output("x".repeat(2_000_000)), output(`${"y".repeat(1_500_000)}\n`), event()]);
    // Marks that were found while the log grew hold for the final one.
    await read(jobId, "line", { at: 200_000 });
    await add(1000, Array.from({ length: 30 }, event));
    await finishJob(world, agent, jobId);
    const download = async (ansi: string, range?: string) => {
      const headers = { authorization: `Bearer ${world.owner}`, ...(range === undefined ? {} : { range }) };
      const answer = await world.harness.fetch(`/api/v1/logs/${jobId}/text?ansi=${ansi}`, { headers });
      return Buffer.from(await answer.arrayBuffer());
    };
    for (const ansi of ["keep", "strip"]) {
      const whole = await download(ansi);
      expect(whole.length).toBeGreaterThan(4_000_000);
      for (let trial = 0; trial < 16; trial++) {
        const first = below(whole.length);
        const end = Math.min(whole.length, first + 1 + below(trial % 8 === 0 ? 5_000_000 : 50_000));
        const part = await download(ansi, `bytes=${first}-${end - 1}`);
        expect([ansi, first, end, part.equals(whole.subarray(first, end))]).toEqual([ansi, first, end, true]);
      }
      expect((await download(ansi, "bytes=-1")).equals(whole.subarray(-1))).toBe(true);
    }
    const lines = (await download("keep")).toString().split("\n");
    for (let trial = 0; trial < 24; trial++) {
      const at = trial < 5 ? lines.length - trial : 1 + below(lines.length);
      const { status, body } = await read(jobId, "line", { at });
      const text = lines[at - 1] ?? "";
      if (at === lines.length && text === "") expect(status).toBe(404);
      else expect([at, body.text]).toEqual([at, text.slice(0, 65_536)]);
    }
  });
});

describe("a log of the hardest bytes", () => {
  it("is taken push by push with 200 and an empty body, in few rows under 2 MB, and read back exactly", async () => {
    const { jobId, agent, logToken } = await runningJob();
    const texts: string[] = [];
    let position = 0;
    const take = async (outputs: readonly string[], body = Buffer.from(outputs.map(lineOf).join(""))) => {
      const answer = await world.harness.fetch(`/api/v1/logs/${jobId}?start_from=${position}`, {
        method: "POST",
        headers: { authorization: `Bearer ${logToken}`, "content-type": "text/plain" },
        body,
      });
      expect([answer.status, await answer.text()]).toEqual([200, ""]);
      position += outputs.length;
      texts.push(...outputs);
    };
    const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).join("");
    await take(Array.from({ length: 2000 }, (_, at) => `${at} `.padEnd(99, "漢") + (at % 7 === 0 ? "\n" : "")));
    await take([...controls.slice(0, 0x80), "\u0085\u009b\u2028\u202e\ufeff"]);
    await take(Array.from({ length: 2000 }, () => "\u0001".repeat(1000)));
    await take([`${"x".repeat(10_000_000)}\n`]);
    await take(["a\ufffd\ufffd"], Buffer.from(lineOf("a\u00ff\u00c3"), "latin1"));
    await finishJob(world, agent, jobId);
    const { text } = await world.as(world.owner, "GET", `/api/v1/logs/${jobId}/text`);
    expect(text === texts.join("")).toBe(true);
    const sizes = "SELECT count(*) AS rows, max(length(body)) AS most FROM records";
    const [found] = (await world.harness.roomRows(jobId, sizes)) as { rows: number; most: number }[];
    expect(found?.most).toBeLessThan(2_000_000);
    // 12 MB in rows of 256 KiB, 10 MB in parts of 1 MiB, and few others.
    expect(found?.rows).toBeLessThan(80);
  });
});

describe("a search", () => {
  it("finds what runs over events, pushes and evictions, a call at a time, and waits where the log grows", async () => {
    const { jobId, agent, add } = await runningJob();
    await add(0, [output("a nee"), output("dle here\n"), output("and a need")]);
    const first = await searchAll(jobId, { q: "needle" });
    expect(first.matches).toEqual([{ line: 1, column: 3, position: 0, excerpt: "a needle here" }]);
    expect(first.next).toBeTypeOf("string");
    await world.harness.evictRoom(jobId, "close");
    await add(3, [output("l"), output("e\nNEEDLE\n")]);
    const later = await read(jobId, "search", { q: "needle", cursor: first.next ?? "" });
    expect(later.body.matches).toMatchObject([{ line: 2, column: 7, position: 2 }]);
    expect(later.body.at_end).toBe(true);
    await finishJob(world, agent, jobId);
    const ended = await read(jobId, "search", { q: "needle", cursor: later.body.next });
    expect(ended.body).toEqual({ matches: [], next: null, at_end: true });
    const every = await searchAll(jobId, { q: "needle", ignore_case: "true" });
    expect(every.matches.map(({ line, position }) => [line, position])).toEqual([
      [1, 0],
      [2, 2],
      [3, 4],
    ]);
    const behind = await searchAll(jobId, { q: "needle", ignore_case: "true", from: 3 });
    expect(behind.matches.map(({ line }) => line)).toEqual([3]);
  });

  it("answers a hundred matches a call, and reads a long log in stretches", async () => {
    const { jobId, agent, add } = await runningJob();
    await add(
      0,
      Array.from({ length: 250 }, (_, at) => output(`match ${at}\n`)),
    );
    const filler = "w".repeat(40_000);
    await add(250, [...Array.from({ length: 250 }, () => output(`${filler}\n`)), output("match at last\n")]);
    await finishJob(world, agent, jobId);
    const { matches, calls } = await searchAll(jobId, { q: "match" });
    expect(matches.map(({ line }) => line)).toEqual([...Array.from({ length: 250 }, (_, at) => at + 1), 501]);
    // Three of them for the matches, and 10 MB in stretches of 4 MiB and a page.
    expect(calls).toBeGreaterThanOrEqual(4);
    const [first] = (await read(jobId, "search", { q: "match" })).body.matches;
    expect(first).toEqual({ line: 1, column: 1, position: 0, excerpt: "match 0" });
  });

  it("never finds a masked secret, whole or in part, and finds the mark that stands for it", async () => {
    const password = "correct horse battery staple";
    const spec = { commands: ["env"], env: [{ name: "PASSWORD", value: password, secret: true }] };
    const { jobId, agent, add } = await runningJob({ spec });
    const base64 = Buffer.from(password).toString("base64");
    await add(0, [output(`a ${password.slice(0, 9)}`), output(`${password.slice(9)} b ${base64}\n`)]);
    await finishJob(world, agent, jobId);
    for (const q of [password, password.slice(0, 9), "battery", "staple", base64.slice(2, 12)]) {
      expect((await searchAll(jobId, { q, ignore_case: "true" })).matches).toEqual([]);
    }
    expect((await searchAll(jobId, { q: "***" })).matches).toMatchObject([
      { line: 1, column: 3 },
      { line: 1, column: 9 },
    ]);
  });

  it("refuses what it cannot look for, and a cursor of another search, each by its name", async () => {
    const { jobId, add } = await runningJob();
    await add(0, [output("aaab\n")]);
    const cursor = (place: object) =>
      Buffer.from(JSON.stringify({ position: 1, skip: 0, lines: 0, column: 2, held: [], ...place })).toString(
        "base64url",
      );
    for (const [pointer, query] of [
      ["?q", {}],
      ["?q", { q: "" }],
      ["?q", { q: "x".repeat(201) }],
      ["?q", { q: "two\nlines" }],
      ["?ignore_case", { q: "x", ignore_case: "yes" }],
      ["?from", { q: "x", from: "-1" }],
      ["?cursor", { q: "x", cursor: "garbage" }],
      ["?cursor", { q: "ab", cursor: cursor({ held: [[0, "ab"]] }) }],
      ["?cursor", { q: "x", cursor: cursor({ position: 9 }) }],
    ] as [string, Record<string, string>][]) {
      const { status, body } = await read(jobId, "search", query);
      expect([status, body.errors?.[0]?.pointer], JSON.stringify([query, body])).toEqual([400, pointer]);
    }
  });
});
