import { expect, test } from "vitest";
import { MarkerScanner } from "../../../src/agent/marker-scanner.ts";

const nonce = "0123456789abcdef0123456789abcdef";
const marker = `\x1e${nonce} 7 ehxB\n`;

function scanAll(scanner: MarkerScanner, chunks: Buffer[]) {
  let output = "";
  let end = null;
  for (const chunk of chunks) {
    const scanned = scanner.scan(chunk);
    output += scanned.output.map(String).join("");
    end ??= scanned.end;
  }
  return { output, end };
}

test("a marker is found wherever reads cut it, and everything around it is output", () => {
  const text = Buffer.from(`out\x1eput${marker}late`);
  for (let at = 0; at <= text.length; at++) {
    const scanner = new MarkerScanner();
    scanner.expect(nonce);
    const scanned = scanAll(scanner, [text.subarray(0, at), text.subarray(at)]);
    expect(scanned).toEqual({ output: "out\x1eputlate", end: { exitCode: 7, flags: "ehxB" } });
  }
});

test("a marker with another number is output: a job cannot end its command by printing one", () => {
  const scanner = new MarkerScanner();
  scanner.expect(nonce);
  const forged = `\x1e${"f".repeat(32)} 0 hB\n`;
  expect(scanAll(scanner, [Buffer.from(forged)])).toEqual({ output: forged, end: null });
});

test("the number alone, without a status after it, ends nothing and is not held back for ever", () => {
  const scanner = new MarkerScanner();
  scanner.expect(nonce);
  const text = `\x1e${nonce} ${"x".repeat(300)}`;
  expect(scanAll(scanner, [Buffer.from(text)])).toEqual({ output: text, end: null });
});

test("what was held back as the beginning of a marker is given up when the shell is gone", () => {
  const scanner = new MarkerScanner();
  scanner.expect(nonce);
  expect(scanAll(scanner, [Buffer.from("tail\x1e0123")])).toEqual({ output: "tail", end: null });
  expect(String(scanner.rest())).toBe("\x1e0123");
  expect(scanner.rest()).toHaveLength(0);
});

test("a marker ends one command only", () => {
  const scanner = new MarkerScanner();
  scanner.expect(nonce);
  scanner.scan(Buffer.from(marker));
  expect(scanAll(scanner, [Buffer.from(marker)])).toEqual({ output: marker, end: null });
});
