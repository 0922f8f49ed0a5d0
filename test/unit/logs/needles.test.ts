import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/worker/lib/bytes.ts";
import { compileMatcher, maskText } from "../../../src/worker/logs/mask.ts";
import { encodeMasks, masksContext, needlesOf, unmaskable } from "../../../src/worker/logs/needles.ts";
import { seeded, textOf } from "./seeded.ts";

function matcherOf(value: string) {
  return compileMatcher(needlesOf(encodeMasks([{ name: "SECRET", value }])).needles);
}

const awkward = `p@ss "w'or\\d" <&$€ 10%/+`;
const marked = "~*(Pa/ss)*!w0rd'~";
const pem = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
const key = pem.toString();

describe("the forms of a secret", () => {
  const forms: [name: string, form: (value: string) => string][] = [
    ["raw", (value) => value],
    ["CRLF", (value) => value.replaceAll("\n", "\r\n")],
    ["hex", (value) => Buffer.from(value).toString("hex")],
    ["upper-case hex", (value) => Buffer.from(value).toString("hex").toUpperCase()],
    ["percent-encoded", encodeURIComponent],
    ["a form field", (value) => new URLSearchParams({ v: value }).toString().slice(2)],
    [
      "a URL's path",
      (value) => run("python3", ["-c", "import sys,urllib.parse as u; print(u.quote(sys.argv[1]))", value]),
    ],
    ["JSON", (value) => JSON.stringify(value).slice(1, -1)],
    [
      "JSON in ASCII",
      (value) => run("python3", ["-c", "import json,sys; print(json.dumps(sys.argv[1])[1:-1])", value]),
    ],
    ["single-quoted", (value) => value.replaceAll("'", "'\\''")],
    ["printf %q", (value) => run("bash", ["-c", 'LC_ALL=C.UTF-8; printf %q "$1"', "bash", value])],
    ["set -x", (value) => run("bash", ["-c", 'LC_ALL=C.UTF-8; exec 2>&1; set -x; : "$1"', "bash", value])],
    ["declare -p", (value) => run("bash", ["-c", "LC_ALL=C.UTF-8; x=$1; declare -p x", "bash", value])],
  ];
  for (const [name, form] of forms) {
    it(`hide it as ${name}`, () => {
      for (const value of ["hunter2hunter2", awkward, marked, key.trim()]) {
        const shown = form(value);
        const masked = maskText(`before ${shown} after`, matcherOf(value));
        expect(masked).toMatch(/^before .*\*\*\*.* after$/s);
        // What quotes and names stand around it is not secret; no eight characters of what was hidden are left.
        expect(masked.length).toBeLessThan(60);
      }
    });
  }

  it("hide it inside a longer base64 text, at every shift", () => {
    const random = seeded(3);
    for (let round = 0; round < 300; round++) {
      const value = textOf(random, "abcXYZ019ÿ>?é", 4 + random(40));
      const before = textOf(random, "pqr:", random(9));
      const after = textOf(random, "uvw\n", random(9));
      for (const encoding of ["base64", "base64url"] as const) {
        const shown = Buffer.from(before + value + after).toString(encoding);
        const masked = maskText(shown, matcherOf(value));
        expect(masked).toContain("***");
        const bare = Buffer.from(masked.replaceAll("***", ""), encoding).toString("latin1");
        expect(bare).not.toContain(Buffer.from(value).toString("latin1"));
        expect(masked.length - 3).toBeLessThan(Buffer.from(before + after).length * 2 + 8);
      }
    }
  });

  it("hide a key that base64 and openssl print in lines", () => {
    for (const columns of [76, 64]) {
      const shown = run("bash", ["-c", `printf '%s\\n' "$1" | base64 -w ${columns}`, "bash", key.trim()]);
      const masked = maskText(shown, matcherOf(key));
      expect(masked).toMatch(/^(?:\*\*\*\n)+(?:\*\*\*)?[\w+/=]{0,4}$/);
    }
  });

  it("hide each long line of a key, and leave its armour", () => {
    const lines = key.trim().split("\n");
    const masked = lines.map((line) => maskText(`| ${line}`, matcherOf(key)));
    expect(masked[0]).toBe("| -----BEGIN PRIVATE KEY-----");
    expect(masked.at(-1)).toBe("| -----END PRIVATE KEY-----");
    for (const line of masked.slice(1, -1)) expect(line).toBe("| ***");
  });

  it("do not hide short lines of a longer value by themselves", () => {
    const matcher = matcherOf("short\na line that is long enough\n");
    expect(maskText("short", matcher)).toBe("short");
    expect(maskText("a line that is long enough", matcher)).toBe("***");
  });

  it("hide a value with or without the blanks around it", () => {
    expect(maskText("<hunter22>", matcherOf("  hunter22\n"))).toBe("<***>");
  });
});

describe("values that are too short", () => {
  it("are named, and not looked for", () => {
    const values = [
      { name: "PIN", value: "123" },
      { name: "PADDED", value: " 12 \n" },
      { name: "EMPTY", value: "" },
      { name: "FOUR", value: "1234" },
      { name: "EURO", value: "€€" },
    ];
    expect(unmaskable(values)).toEqual(["PIN", "PADDED"]);
    const matcher = compileMatcher(needlesOf(encodeMasks(values)).needles);
    expect(maskText("123 12 1234 €€", matcher)).toBe("123 12 *** ***");
  });
});

describe("sealed masks", () => {
  // Another digest needs another version of the masks (docs/storage.md, "Output that waits").
  it.each([
    [1, 68, "0d9c915b75c99dd5e6da5b1566eb60fca6171ceea8c80beadbdfabfce145e58f"],
    [2, 69, "49d7be2422d0e3fa4dace1a600e750c41dce4f0a4b692e3ff5aaa0529aab187b"],
  ])("of version %d give these needles in this order: a room remembers one by its number", (version, count, digest) => {
    const texts = ["hunter2hunter2", awkward, "a line that is long\r\nand a second one é漢😀\tend\n"];
    const values = texts.map((value) => ({ name: "SECRET", value }));
    const { needles } = needlesOf(utf8(JSON.stringify({ version, values })));
    const found = createHash("sha256").update(JSON.stringify(needles)).digest("hex");
    expect([needles.length, found]).toEqual([count, digest]);
  });

  it("are written in the newest version", () => {
    expect(JSON.parse(Buffer.from(encodeMasks([])).toString())).toEqual({ version: 2, values: [] });
  });

  it("of another version or shape are refused without being quoted", () => {
    for (const text of ['{"version":3,"values":[]}', "hunter22", '{"version":1,"values":[{"name":"A"}]}', ""]) {
      expect(() => needlesOf(utf8(text))).toThrow(/^the opened masks have no known form$/);
    }
  });

  it("are bound to project, job and claim", () => {
    expect(masksContext("p", "j", 2)).toEqual({
      purpose: "log_masks",
      projectId: "p",
      recordId: "j",
      secretVersion: 2,
      type: "",
    });
  });
});

function run(command: string, args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8" }).replace(/\n$/, "");
}
