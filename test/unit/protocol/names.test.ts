import { describe, expect, test } from "vitest";
import { Id, Timestamp } from "../../../src/protocol/ids.ts";
import { EnvVar, JobEnvName } from "../../../src/protocol/jobs.ts";
import { EnvName, FileMode, FilePath, Name, RepositorySlug, Title } from "../../../src/protocol/names.ts";

const tables = {
  name: {
    schema: Name,
    good: ["a", "0", "web", "a.b_c-d", "x".repeat(63), "1password"],
    bad: ["", "A", "ä", "-a", ".a", "_a", "a b", "a/b", "a:b", "a~b", "a%", "a\n", "x".repeat(64), "a\0", "а"],
  },
  "variable name": {
    schema: EnvName,
    good: ["A", "_", "a1", "PATH", "X".repeat(256)],
    bad: ["", "1A", "A-B", "A B", "A=B", "A\n", "Ä", "A;id", "$(id)", "A[0]", "X".repeat(257), "A\0"],
  },
  "variable name that a job may set": {
    schema: JobEnvName,
    good: ["A", "SEMAPHORE", "SEMAPHOREX_A", "semaphore_a", "SEMAPHORE_GIT_DEPTH", "SEMAPHORE_GIT_CACHE_AGE"],
    bad: ["SEMAPHORE_", "SEMAPHORE_OIDC_TOKEN", "SEMAPHORE_GIT_SHA", "SEMAPHORE_GIT_DEPTH2", "SEMAPHORE_JOB_ID", "1"],
  },
  "file mode": {
    schema: FileMode,
    good: ["0600", "0644", "0755", "0000", "0777"],
    bad: ["", "600", "0800", "00600", "4755", "1777", "0o600", "rw", "0600\n", " 0600", "-600"],
  },
  "file path": {
    schema: FilePath,
    good: ["a", ".ssh/id", "~/.ssh/id", "/etc/x", "a b", "a..b", "..a", "...", "ä/\u{1f682}", "./a", "x".repeat(1024)],
    bad: ["", "..", "../a", "a/../b", "/..", "a/..", "a/", "/", "~/", "a\0b", "a\nb", "a\u007f", "x".repeat(1025)],
  },
  title: {
    schema: Title,
    good: ["a", "Wort für Wort", "\u{1f682}", "x".repeat(200), "<script>", "a/b"],
    bad: ["", "a\nb", "\0", "a\u001b[31m", "a\u007f", "x".repeat(201)],
  },
  "repository slug": {
    schema: RepositorySlug,
    good: ["a/b", "Acme/Web.Site_2", "group/sub/name"],
    bad: ["", "a", "/a", "a/", "a//b", "a b/c", "a/b\n", "ä/b", `a/${"b".repeat(200)}`],
  },
  id: {
    schema: Id,
    good: ["01890000-0000-7000-8000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    bad: [
      "",
      "01890000-0000-7000-8000-00000000000",
      "01890000-0000-7000-8000-00000000000A",
      "x1890000-0000-7000-8000-000000000001",
      "01890000000070008000000000000001",
      "{01890000-0000-7000-8000-000000000001}",
      "01890000-0000-7000-8000-000000000001\n",
    ],
  },
  timestamp: {
    schema: Timestamp,
    good: ["2026-11-20T18:10:13.123Z", "2024-02-29T00:00:00.000Z"],
    bad: [
      "",
      "2026-11-20T18:10:13Z",
      "2026-11-20T18:10:13.1234Z",
      "2026-11-20 18:10:13.123Z",
      "2026-11-20T18:10:13.123+01:00",
      "2026-02-30T00:00:00.000Z",
      "2026-11-20T25:10:13.123Z",
    ],
  },
} as const;

describe.each(Object.entries(tables))("a %s", (_, { schema, good, bad }) => {
  test.each(good)("may be %j", (text) => {
    expect(schema.parse(text)).toBe(text);
  });

  test.each(bad)("may not be %j", (text) => {
    expect(schema.safeParse(text).success).toBe(false);
  });

  test("is text", () => {
    for (const value of [1, null, undefined, {}, ["a"], true]) expect(schema.safeParse(value).success).toBe(false);
  });
});

test("a variable's value may be anything that an environment can hold", () => {
  const parse = (value: string) => EnvVar.safeParse({ name: "A", value }).success;
  for (const good of ["", "a\nb", "\u{1f682}", "=", "x".repeat(100_000)]) expect(parse(good)).toBe(true);
  for (const bad of ["a\0b", "\ud83d"]) expect(parse(bad)).toBe(false);
});

test("a file path names a file, not the folder it would lie in", () => {
  for (const path of [".", "./", "a/.", "~", "/."]) expect(FilePath.safeParse(path).success, path).toBe(false);
});
