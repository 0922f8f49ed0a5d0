import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type SubjectParts, subject, subject127 } from "../../../../src/worker/identity/subject.ts";
import { idOf } from "../fixtures.ts";
import { generatedParts } from "./refs.ts";

const base: SubjectParts = { org: "acme", projectId: idOf(2), repo: "web", refType: "branch", ref: "refs/heads/main" };
const prefix = `org:acme:project:${idOf(2)}:repo:web:ref_type:branch:ref:`;
const shortPrefix = `acme:${idOf(2)}:web:br:`;
const branch = (name: string): SubjectParts => ({ ...base, ref: `refs/heads/${name}` });

/** The hash of a cut subject, from DESIGN section 9, by another implementation. */
function hashOf({ org, projectId, repo, refType, ref }: SubjectParts): string {
  const digest = createHash("sha256");
  for (const part of [org, projectId, repo, refType, ref]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(part));
    digest.update(length).update(part, "utf8");
  }
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  let rest = BigInt(`0x${digest.digest("hex")}`) << 4n;
  let text = "";
  for (let at = 0; at < 52; at++, rest >>= 5n) text = alphabet[Number(rest & 31n)] + text;
  return text.slice(0, 26);
}

describe("the subject", () => {
  test.each<[string, SubjectParts, string, string]>([
    ["a branch", base, `${prefix}refs/heads/main`, `${shortPrefix}heads/main`],
    [
      "a tag",
      { ...base, refType: "tag", ref: "refs/tags/v1.0" },
      `org:acme:project:${idOf(2)}:repo:web:ref_type:tag:ref:refs/tags/v1.0`,
      `acme:${idOf(2)}:web:tg:tags/v1.0`,
    ],
    [
      "a pull request",
      { ...base, refType: "pr", ref: "refs/pull/12/head" },
      `org:acme:project:${idOf(2)}:repo:web:ref_type:pr:ref:refs/pull/12/head`,
      `acme:${idOf(2)}:web:pr:pull/12/head`,
    ],
    [
      "slashes and marks that git allows",
      branch("a/b-c_d.e+f@g,h;i!"),
      `${prefix}refs/heads/a/b-c_d.e+f@g,h;i!`,
      `${shortPrefix}heads/a/b-c_d.e+f@g,h;i!`,
    ],
    ["umlauts", branch("ärger"), `${prefix}refs/heads/%C3%A4rger`, `${shortPrefix}heads/%C3%A4rger`],
    ["an emoji", branch("\u{1f682}"), `${prefix}refs/heads/%F0%9F%9A%82`, `${shortPrefix}heads/%F0%9F%9A%82`],
    ["a percent sign", branch("100%"), `${prefix}refs/heads/100%25`, `${shortPrefix}heads/100%25`],
    [
      "what looks encoded already",
      branch("%C3%A4"),
      `${prefix}refs/heads/%25C3%25A4`,
      `${shortPrefix}heads/%25C3%25A4`,
    ],
    ["refs/ within", branch("refs/heads/x"), `${prefix}refs/heads/refs/heads/x`, `${shortPrefix}heads/refs/heads/x`],
  ])("of %s is the template, word for word, in both forms", async (_, parts, long, short) => {
    expect(await subject(parts)).toBe(long);
    expect(await subject127(parts)).toBe(short);
  });

  test("decodes to the ref it was made of", async () => {
    for (const name of ["ärger", "100%", "%41", "\u{1f682}/日本"]) {
      expect(decodeURIComponent(await subject(branch(name)))).toBe(`${prefix}refs/heads/${name}`);
    }
  });
});

describe("a subject that is too long", () => {
  const room = 255 - prefix.length - "refs/heads/".length;
  const shortRoom = 127 - shortPrefix.length - "heads/".length;

  test("begins at 256 characters, or 128 bytes", async () => {
    expect(await subject(branch("x".repeat(room)))).toBe(`${prefix}refs/heads/${"x".repeat(room)}`);
    expect(await subject(branch("x".repeat(room + 1)))).toContain("~");
    expect(await subject127(branch("x".repeat(shortRoom)))).toBe(`${shortPrefix}heads/${"x".repeat(shortRoom)}`);
    expect(await subject127(branch("x".repeat(shortRoom + 1)))).toContain("~");
  });

  test("keeps its beginning and ends in ~ and 26 base32 characters of the hash of its parts", async () => {
    const parts = branch("x".repeat(300));
    expect(await subject(parts)).toBe(`${prefix}refs/heads/${"x".repeat(room - 27)}~${hashOf(parts)}`);
    expect(await subject127(parts)).toBe(`${shortPrefix}heads/${"x".repeat(shortRoom - 27)}~${hashOf(parts)}`);
  });

  test("counts characters as they are encoded", async () => {
    const parts = branch("ä".repeat(Math.ceil((room + 1) / 6)));
    expect(await subject(parts)).toMatch(/~[a-z2-7]{26}$/);
  });

  test("is never cut within a percent escape", async () => {
    for (let pad = 0; pad < 6; pad++) {
      for (const form of [subject, subject127]) {
        const cut = await form(branch("a".repeat(pad) + "ä".repeat(200)));
        expect(cut.slice(0, cut.indexOf("~")).replace(/%[0-9A-F]{2}/g, "")).not.toContain("%");
      }
    }
  });

  test("tells apart refs that differ only behind the cut", async () => {
    const [a, b] = [branch(`${"x".repeat(300)}a`), branch(`${"x".repeat(300)}b`)];
    expect(await subject(a)).not.toBe(await subject(b));
    expect(await subject127(a)).not.toBe(await subject127(b));
  });

  test("is no name that another branch could take: git forbids ~", async () => {
    const { GitRef } = await import("../../../../src/protocol/git-context.ts");
    const cut = await subject(branch("x".repeat(300)));
    expect(GitRef.safeParse(cut.slice(cut.indexOf("refs/"))).success).toBe(false);
  });
});

describe("over 6,000 generated contexts", () => {
  const all = generatedParts(9, 6000);
  const distinct = [...new Map(all.map((parts) => [JSON.stringify(parts), parts])).values()];

  test.each([
    ["subject", subject, 255],
    ["subject127", subject127, 127],
  ] as const)("no two have one %s, which is short, ASCII, and holds ~ only where it was cut", async (_, form, max) => {
    const seen = new Map<string, string>();
    let cuts = 0;
    for (const parts of distinct) {
      const text = await form(parts);
      const context = JSON.stringify(parts);
      const other = seen.get(text);
      if (other !== undefined) expect.fail(`${other} and ${context} are both ${text}`);
      seen.set(text, context);
      if (text.length > max || !/^[\u0021-\u007e]+$/.test(text)) expect.fail(`${context}: ${text}`);
      if (text.includes("~")) {
        cuts++;
        if (!text.endsWith(`~${hashOf(parts)}`)) expect.fail(`${context}: ${text}`);
        if (text.length < max - 2) expect.fail(`cut too short: ${text}`);
      }
    }
    expect(distinct.length).toBeGreaterThan(4000);
    expect(cuts).toBeGreaterThan(500);
    expect(distinct.length - cuts).toBeGreaterThan(500);
  });

  test("a verbatim subject gives back its parts", async () => {
    for (const parts of distinct.slice(0, 1000)) {
      const text = await subject(parts);
      if (text.includes("~")) continue;
      const [, org, projectId, repo, refType, ref] =
        /^org:([^:]*):project:([^:]*):repo:([^:]*):ref_type:([^:]*):ref:(.*)$/s.exec(decodeURIComponent(text)) ?? [];
      expect({ org, projectId, repo, refType, ref }).toEqual(parts);
    }
  });
});
