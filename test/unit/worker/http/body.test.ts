import { describe, expect, test } from "vitest";
import * as z from "zod";
import { Page } from "../../../../src/protocol/list.ts";
import { parse } from "../../../../src/protocol/parse.ts";
import { readBody, readJson } from "../../../../src/worker/http/body.ts";
import { fieldProblems } from "../../../../src/worker/http/field-problems.ts";
import { faultOf } from "../fixtures.ts";

const url = "https://ci.example.com/api";
const post = (body: BodyInit | null, headers: Record<string, string> = {}) =>
  new Request(url, { method: "POST", body, headers });

/** A body of unknown length, in pieces; counts what was taken and whether it was given up. */
function streamed(pieces: readonly number[]) {
  const seen = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const size = pieces[seen.pulled];
        if (size === undefined) return controller.close();
        seen.pulled++;
        controller.enqueue(new Uint8Array(size).fill(seen.pulled));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, request: new Request(url, { method: "POST", body: stream, duplex: "half" } as RequestInit) };
}

describe("a body", () => {
  test("of exactly the limit is read, whole and in order", async () => {
    const { request } = streamed([3, 0, 2]);
    expect([...(await readBody(request, 5))]).toEqual([1, 1, 1, 3, 3]);
    expect((await readBody(post("abc"), 3)).length).toBe(3);
    expect(await readBody(post(null), 0)).toEqual(new Uint8Array());
  });

  test("over the limit by one byte is refused, however it comes", async () => {
    for (const request of [post("x".repeat(6)), streamed([6]).request, streamed([1, 1, 1, 1, 1, 1]).request]) {
      expect(await faultOf(() => readBody(request, 5))).toMatchObject({
        code: "too_large",
        detail: "the body is larger than 5 bytes",
      });
    }
  });

  test("without end is given up as soon as the limit is passed", async () => {
    const { request, seen } = streamed(new Array(1000).fill(10));
    await faultOf(() => readBody(request, 35));
    expect(seen.pulled).toBeLessThan(10);
    expect(seen.cancelled).toBe(true);
  });

  test("is counted, whatever Content-Length says", async () => {
    expect(await faultOf(() => readBody(post("x".repeat(50), { "content-length": "1" }), 10))).toMatchObject({
      code: "too_large",
    });
    expect((await readBody(post("x", { "content-length": "999999999" }), 10)).length).toBe(1);
  });
});

describe("a JSON body", () => {
  const Schema = z.strictObject({ name: z.string(), inner: z.strictObject({ n: z.int() }).optional() });
  const read = (body: BodyInit) => readJson(post(body), Schema, 1000);

  test("is read without any Content-Type: agents send none", async () => {
    const request = post(new TextEncoder().encode('{"name":"ä"}'));
    request.headers.delete("content-type");
    expect(await readJson(request, Schema, 1000)).toEqual({ name: "ä" });
  });

  test.each<[string, BodyInit]>([
    ["nothing", ""],
    ["half an object", '{"name":"s3cret'],
    ["two objects", '{"name":"s3cret"}{}'],
    ["a comment", '// s3cret\n{"name":"a"}'],
    ["bytes that are not UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
    ["a byte order mark", Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)],
    ["UTF-16", Uint8Array.from(Buffer.from('{"name":"s3cret"}', "utf16le"))],
  ])("that is %s is refused without quoting it", async (_, body) => {
    const fault = await faultOf(() => read(body));
    expect(fault).toMatchObject({
      code: "invalid_request",
      errors: [{ pointer: "", detail: "is not JSON in UTF-8" }],
    });
    expect(fault.message + JSON.stringify(fault.errors)).not.toContain("s3cret");
    expect(fault.cause).toBeUndefined();
  });

  test("that is too long or too short is told the bound in plain words", async () => {
    const Bounded = z.object({ name: z.string().min(1), ids: z.array(z.int()).max(1), limit: z.int().min(1) });
    const fault = await faultOf(() => readJson(post('{"name":"","ids":[1,2],"limit":0}'), Bounded, 1000));
    expect(fault.errors).toEqual([
      { pointer: "/name", detail: "must have at least 1 character" },
      { pointer: "/ids", detail: "must have at most 1 item" },
      { pointer: "/limit", detail: "must be at least 1" },
    ]);
  });

  test("that does not fit names each field and quotes no value", async () => {
    const fault = await faultOf(() => read('{"name":["s3cret"],"inner":{"n":"s3cret"}}'));
    expect(fault.errors.map(({ pointer }) => pointer)).toEqual(["/name", "/inner/n"]);
    expect(JSON.stringify(fault.errors)).not.toContain("s3cret");
  });

  test("with members that nobody knows names each where it stands", async () => {
    const fault = await faultOf(() => read('{"name":"a","nmae":1,"inner":{"n":1,"a/b":"s3cret"}}'));
    const detail = "is not known here";
    expect(fault.errors.toSorted((a, b) => a.pointer.length - b.pointer.length)).toEqual([
      { pointer: "/nmae", detail },
      { pointer: "/inner/a~1b", detail },
    ]);
  });

  test("that is no object at all is named as a whole", async () => {
    for (const body of ["null", "[]", '"s3cret"', "1"]) {
      expect((await faultOf(() => read(body))).errors).toMatchObject([{ pointer: "" }]);
    }
  });

  test("cannot reach a prototype", async () => {
    const fault = await faultOf(() => read('{"name":"a","__proto__":{"admin":true}}'));
    expect(fault.code).toBe("invalid_request");
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe("field pointers", () => {
  const pointersOf = (schema: z.ZodType, value: unknown, prefix: "/" | "?" = "/") => {
    const parsed = parse(schema, value);
    if (parsed.success) throw new Error("it fits");
    return fieldProblems(parsed.misfits, prefix).map(({ pointer }) => pointer);
  };

  test.each([
    ["a/b", "/a~1b"],
    ["a~b", "/a~0b"],
    ["~1", "/~01"],
    ["/", "/~1"],
    ["~/~", "/~0~1~0"],
    ["", "/"],
    ["ä b", "/ä b"],
  ])("escape member %j as RFC 6901 does", (name, pointer) => {
    expect(pointersOf(z.record(z.string(), z.int()), { [name]: "x" })).toEqual([pointer]);
  });

  test("count list items from 0, to any depth", () => {
    expect(pointersOf(z.array(z.object({ a: z.array(z.int()) })), [{ a: [1] }, { a: [1, "x"] }])).toEqual(["/1/a/1"]);
  });

  test("of a query name its parameter", () => {
    expect(pointersOf(Page, { limit: "0" }, "?")).toEqual(["?limit"]);
  });

  test("are at most 20, so that an answer is not larger than its question", () => {
    expect(pointersOf(z.array(z.int()), new Array(500).fill("x"))).toHaveLength(20);
  });
});
