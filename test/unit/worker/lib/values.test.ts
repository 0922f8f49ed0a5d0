import { describe, expect, test } from "vitest";
import { Id, Timestamp } from "../../../../src/protocol/ids.ts";
import { systemRandom, toBase64Url, utf8 } from "../../../../src/worker/lib/bytes.ts";
import { canonicalJson } from "../../../../src/worker/lib/canonical-json.ts";
import { isGuardFailure, violatesUnique } from "../../../../src/worker/lib/d1.ts";
import { uuidv7 } from "../../../../src/worker/lib/ids.ts";
import { paged, pagedNewestFirst } from "../../../../src/worker/lib/paging.ts";
import {
  type EpochMs,
  plusSeconds,
  toSeconds,
  toTimestamp,
  toTimestampOrNull,
} from "../../../../src/worker/lib/time.ts";
import { faultOf, idOf } from "../fixtures.ts";

const ms = (at: number) => at as EpochMs;

describe("an id", () => {
  test("is RFC 9562's: the time in milliseconds, version 7, its variant, and random bits", () => {
    const ones = uuidv7(ms(0x0123456789ab), () => new Uint8Array(16).fill(255));
    const zeros = uuidv7(ms(0x0123456789ab), () => new Uint8Array(16));
    expect([ones, zeros]).toEqual(["01234567-89ab-7fff-bfff-ffffffffffff", "01234567-89ab-7000-8000-000000000000"]);
  });

  test("sorts by the time it was made, and never comes twice", () => {
    const times = [1, 2 ** 32 - 1, 2 ** 32, Date.now(), Date.now() + 1, 2 ** 48 - 1];
    const ids = times.map((at) => uuidv7(ms(at), systemRandom));
    expect(ids.toSorted()).toEqual(ids);
    for (const id of ids) expect(Id.safeParse(id).success).toBe(true);
    expect(new Set(Array.from({ length: 1000 }, () => uuidv7(ms(5), systemRandom))).size).toBe(1000);
  });
});

describe("canonical JSON", () => {
  test.each<[unknown, unknown]>([
    [
      { b: 1, a: 2 },
      { a: 2, b: 1 },
    ],
    [{ a: { d: 1, c: [{ f: 1, e: 2 }] } }, { a: { c: [{ e: 2, f: 1 }], d: 1 } }],
    [{ a: 1, b: undefined }, { a: 1 }],
  ])("is one text for one value: %j", (a, b) => {
    expect(canonicalJson(a)).toBe(canonicalJson(b));
    expect(JSON.parse(canonicalJson(a))).toEqual(JSON.parse(JSON.stringify(a)));
  });

  test("sorts by code units, and keeps the order of lists", () => {
    expect(canonicalJson({ ä: 1, a: 1, B: 1, "\u{1f682}": [2, 1] })).toBe('{"B":1,"a":1,"ä":1,"\u{1f682}":[2,1]}');
  });

  test("is another text for another value", () => {
    const values = [
      null,
      "null",
      0,
      "0",
      [],
      {},
      [[]],
      [null],
      { a: null },
      { a: [] },
      "",
      '"',
      { '"': 1 },
      [1, 2],
      [12],
      true,
    ];
    expect(new Set(values.map(canonicalJson)).size).toBe(values.length);
  });
});

describe("a list in pages", () => {
  const all = Array.from({ length: 7 }, (_, n) => ({ id: idOf(n + 1) }));
  const load = async (after: string, limit: number) => all.filter(({ id }) => id > after).slice(0, limit);
  const loadNewest = async (before: string, limit: number) =>
    all
      .toReversed()
      .filter(({ id }) => id < before)
      .slice(0, limit);

  test.each([1, 2, 3, 6, 7, 8])("of %i shows each item once, in order, and then ends", async (limit) => {
    for (const [page, expected] of [
      [(cursor?: string) => paged({ limit, cursor }, load), all],
      [(cursor?: string) => pagedNewestFirst({ limit, cursor }, loadNewest), all.toReversed()],
    ] as const) {
      const seen: { id: string }[] = [];
      let cursor: string | undefined;
      for (let rounds = 0; rounds < 10; rounds++) {
        const { items, next } = await page(cursor);
        expect(items.length).toBeLessThanOrEqual(limit);
        seen.push(...items);
        if (next === null) break;
        cursor = next;
      }
      expect(seen).toEqual(expected);
    }
  });

  test("of nothing is empty and ends", async () => {
    expect(await paged({ limit: 5 }, async () => [])).toEqual({ items: [], next: null });
  });

  test.each(["!", "a b", "AA==", "ä"])("refuses the cursor %j by the name of its parameter", async (cursor) => {
    expect(await faultOf(() => paged({ limit: 5, cursor }, load))).toMatchObject({
      code: "invalid_request",
      errors: [{ pointer: "?cursor" }],
    });
  });

  test("takes a cursor of an item that has gone meanwhile", async () => {
    const cursor = toBase64Url(utf8(`${idOf(3)}0`));
    expect((await paged({ limit: 1, cursor }, load)).items).toEqual([{ id: idOf(4) }]);
  });
});

describe("time", () => {
  test("is whole seconds downwards, and RFC 3339 with milliseconds", () => {
    expect([toSeconds(ms(1999)), toSeconds(ms(2000)), plusSeconds(ms(5), 2)]).toEqual([1, 2, 2005]);
    expect(toTimestamp(0)).toBe("1970-01-01T00:00:00.000Z");
    expect(Timestamp.safeParse(toTimestamp(Date.now())).success).toBe(true);
    expect([toTimestampOrNull(null), toTimestampOrNull(0)]).toEqual([null, toTimestamp(0)]);
  });
});

describe("what D1 says", () => {
  const unique = new Error("D1_ERROR: UNIQUE constraint failed: jobs.id: SQLITE_CONSTRAINT_PRIMARYKEY");
  const pair = new Error(
    "D1_ERROR: UNIQUE constraint failed: access_keys.project_id, access_keys.name: SQLITE_CONSTRAINT",
  );

  test("of a column in use is known by that column, alone or in a list", () => {
    expect(violatesUnique(unique, "jobs.id")).toBe(true);
    expect(violatesUnique(pair, "access_keys.name")).toBe(true);
    expect(violatesUnique(pair, "access_keys.project_id")).toBe(true);
    for (const other of ["jobs.i", "obs.id", "jobs.idx", "access_keys.id"])
      expect(violatesUnique(unique, other)).toBe(false);
    expect(violatesUnique("UNIQUE constraint failed: jobs.id", "jobs.id")).toBe(false);
    expect(violatesUnique(new Error("no such table: jobs"), "jobs.id")).toBe(false);
  });

  test("of a guard is no other constraint", () => {
    expect(isGuardFailure(new Error("D1_ERROR: CHECK constraint failed: ok = 1: SQLITE_CONSTRAINT"))).toBe(true);
    for (const other of [
      unique,
      new Error("CHECK constraint failed: state"),
      null,
      "CHECK constraint failed: ok = 1",
    ]) {
      expect(isGuardFailure(other)).toBe(false);
    }
  });
});
