import { describe, expect, test } from "vitest";
import { decodeFrame, encodeFrame, type FrameHeader, ViewerMessage } from "../../../src/protocol/log-frames.ts";
import { roleAtLeast, roles } from "../../../src/protocol/principal.ts";
import { ProblemCode } from "../../../src/protocol/problem.ts";
import { utf8 } from "../../../src/worker/lib/bytes.ts";

const headers: FrameHeader[] = [
  { kind: "events", position: 0, count: 2, credit: 1024 },
  { kind: "events", position: 7, count: 0, credit: 1024, part: 1, parts: 3 },
  { kind: "gap", position: 3, until: 9, credit: 1 },
  { kind: "notice", position: 3, text: "a\nb \u{1f682}", credit: 1 },
  { kind: "end", position: 12, result: "stopped", credit: 1 },
];

describe("a viewer's frame", () => {
  test.each(headers)("of $kind is read as it was written, its payload to the byte", (header) => {
    for (const payload of [new Uint8Array(), utf8('{"event":"x"}\n{"y":1}\n'), Uint8Array.of(0, 10, 255)]) {
      const read = decodeFrame(encodeFrame(header, payload));
      expect(read.header).toEqual(header);
      expect(Buffer.from(read.payload).equals(payload)).toBe(true);
    }
  });

  test("is read from inside a larger buffer", () => {
    const [header] = headers;
    if (header === undefined) throw new Error("no header");
    const frame = Buffer.concat([Buffer.from("xx\n"), encodeFrame(header, utf8("p"))]).subarray(3);
    expect(decodeFrame(frame)).toEqual({ header, payload: Buffer.from("p") });
  });

  test.each([
    "",
    "{}",
    "{}\n",
    "\n",
    "x\n",
    '{"kind":"events"}\n',
    '{"kind":"event","position":0}\n',
    "null\n",
    '{"kind":"end","position":-1,"result":"passed","credit":1}\n',
  ])("is none where it reads %j", (text) => {
    expect(() => decodeFrame(utf8(text))).toThrow();
  });
});

test("a viewer says how much it has read and nothing else", () => {
  expect(ViewerMessage.parse({ ack: 0 })).toEqual({ ack: 0 });
  for (const bad of [{}, { ack: -1 }, { ack: 1.5 }, { ack: "1" }, { ack: 1, x: 1 }, { ack: 2 ** 53 }, null, []]) {
    expect(ViewerMessage.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
  }
});

test("roles rise from guest to owner, and each holds what lies below it", () => {
  expect(roles).toEqual(["guest", "task_runner", "manager", "owner"]);
  for (const [held, holder] of roles.entries()) {
    for (const [needed, role] of roles.entries()) expect(roleAtLeast(holder, role)).toBe(held >= needed);
  }
});

test("codes are words that a client can branch on", () => {
  for (const code of ProblemCode.options) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
});
