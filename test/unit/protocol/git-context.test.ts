import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { GitRef, GitSha, refTypeOf, shortRef } from "../../../src/protocol/git-context.ts";
import { limits } from "../../../src/protocol/limits.ts";
import { seeded } from "../logs/seeded.ts";

const accepts = (ref: string) => GitRef.safeParse(ref).success;

describe("a ref is taken", () => {
  test.each([
    "refs/heads/main",
    "refs/heads/a/b/c",
    "refs/heads/-dash",
    "refs/heads/a.b",
    "refs/heads/a./b",
    "refs/heads/@",
    "refs/heads/a@b",
    "refs/heads/a{b}",
    "refs/heads/lock",
    "refs/heads/.lockx".replace("/.", "/x."),
    "refs/heads/a.LOCK",
    "refs/heads/ä€\u{1f682}",
    "refs/heads/$(id)",
    "refs/heads/a'b\"c;d&e|f<g>h",
    "refs/heads/\u0085\u2028",
    "refs/tags/v1.0",
    "refs/pull/1/head",
    "refs/notes/commits",
    "refs/heads/refs/heads/main",
  ])("%j", (ref) => {
    expect(accepts(ref)).toBe(true);
  });
});

describe("a ref is refused", () => {
  test.each([
    "",
    "main",
    "HEAD",
    "heads/main",
    "refs/",
    "refs/heads",
    "refs/heads/",
    "/refs/heads/main",
    "refs//heads/main",
    "refs/heads//main",
    "refs/heads/main/",
    "refs/heads/main.",
    "refs/heads/.main",
    "refs/heads/a/.b",
    "refs/heads/a..b",
    "refs/heads/..",
    "refs/heads/main.lock",
    "refs/heads/a.lock/b",
    "refs/heads/a b",
    "refs/heads/a\tb",
    "refs/heads/main\n",
    "\nrefs/heads/main",
    "refs/heads/a\0b",
    "refs/heads/a\u007fb",
    "refs/heads/a~b",
    "refs/heads/a^b",
    "refs/heads/a:b",
    "refs/heads/a?b",
    "refs/heads/a*b",
    "refs/heads/a[b",
    "refs/heads/a\\b",
    "refs/heads/a@{b",
    "Refs/heads/main",
    "refs/heads/\ud83d",
    "origin/refs/heads/main",
  ])("%j", (ref) => {
    expect(accepts(ref)).toBe(false);
  });

  test("that is longer than the limit, counted in bytes", () => {
    const room = limits.refBytes - "refs/heads/".length;
    expect(accepts(`refs/heads/${"x".repeat(room)}`)).toBe(true);
    expect(accepts(`refs/heads/${"x".repeat(room + 1)}`)).toBe(false);
    expect(accepts(`refs/heads/${"ä".repeat(room / 2 + 1)}`)).toBe(false);
  });
});

test("git itself takes and refuses the same refs as we do, of 300 generated ones", (context) => {
  const { status, error } = spawnSync("git", ["--version"]);
  if (status !== 0) context.skip(`git on PATH cannot be asked: ${error?.message ?? status}`);
  const random = seeded(3);
  const pieces = ["a", "b", "main", "ä", "\u{1f682}", "-", ".", "..", "/", "@", "{", "@{", ".lock", "lock", "%", "+"];
  const rare = ["~", "^", ":", "?", "*", "[", "\\", " ", "\t", "\n", "\u007f", "\u0085", "}", "!", "'", "//", "\u0001"];
  const refs = new Set<string>();
  while (refs.size < 300) {
    const name = Array.from({ length: 1 + random(5) }, () =>
      random(8) === 0 ? rare[random(rare.length)] : pieces[random(pieces.length)],
    ).join("");
    refs.add(`refs/${["heads", "tags", "pull/7"][random(3)]}/${name}`);
  }
  const verdicts = gitVerdicts([...refs]);
  let taken = 0;
  for (const [ref, byGit] of verdicts) {
    if (accepts(ref) !== byGit) expect.fail(`${JSON.stringify(ref)}: git says ${byGit}`);
    if (byGit) taken++;
  }
  expect(taken).toBeGreaterThan(60);
  expect(verdicts.size - taken).toBeGreaterThan(60);
});

/** One shell for all refs: a process for each would take most of the suite's time. NUL ends a ref. */
function gitVerdicts(refs: readonly string[]): Map<string, boolean> {
  const script = `while IFS= read -r -d '' ref; do git check-ref-format "$ref" && echo 1 || echo 0; done`;
  const answers = execFileSync("bash", ["-c", script], { input: refs.map((ref) => `${ref}\0`).join("") });
  const lines = answers.toString("utf8").trim().split("\n");
  expect(lines).toHaveLength(refs.length);
  return new Map(refs.map((ref, at) => [ref, lines[at] === "1"]));
}

describe("the type of a ref", () => {
  test.each<[string, string | null]>([
    ["refs/heads/main", "branch"],
    ["refs/heads/refs/tags/v1", "branch"],
    ["refs/tags/v1", "tag"],
    ["refs/tags/heads/x", "tag"],
    ["refs/pull/1/head", "pr"],
    ["refs/pull/123/merge", "pr"],
    ["refs/pull/0/head", null],
    ["refs/pull/01/head", null],
    ["refs/pull/x/head", null],
    ["refs/pull/1", null],
    ["refs/pull/1/", null],
    ["refs/pull//head", null],
    ["refs/notes/commits", null],
    ["refs/remotes/origin/main", null],
    ["refs/head/main", null],
    ["refs/headsx/main", null],
    ["Refs/heads/main", null],
    [" refs/heads/main", null],
    ["x/refs/heads/main", null],
    ["main", null],
    ["", null],
  ])("%j is %s", (ref, type) => {
    expect(refTypeOf(ref)).toBe(type);
  });
});

test("the short form strips one prefix of a branch or tag, once", () => {
  expect(shortRef("refs/heads/main")).toBe("main");
  expect(shortRef("refs/tags/v1")).toBe("v1");
  expect(shortRef("refs/heads/refs/heads/main")).toBe("refs/heads/main");
  expect(shortRef("refs/pull/1/head")).toBe("refs/pull/1/head");
});

test("a commit is named in full, in lower case hex", () => {
  for (const good of ["a".repeat(40), "0".repeat(64)]) expect(GitSha.safeParse(good).success).toBe(true);
  for (const bad of [
    "",
    "abc1234",
    "A".repeat(40),
    "g".repeat(40),
    "a".repeat(41),
    "a".repeat(63),
    `${"a".repeat(40)}\n`,
  ]) {
    expect(GitSha.safeParse(bad).success).toBe(false);
  }
});
