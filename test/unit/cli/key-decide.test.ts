/** `signalbox key decide`: scripts ask it before they rely on a key. */
import { expect, test } from "vitest";
import { accessKey, eachTest, id, projects } from "./fixtures.ts";

const site = eachTest();

test("a key that stays shut is said in words, and by exit code 1; one that opens exits 0", async () => {
  const asked = (allowed: boolean, explanation: string) =>
    site.withApi(
      {
        ...projects,
        [`GET /api/v1/projects/${id}/keys`]: { items: [accessKey], next: null },
        [`POST /api/v1/projects/${id}/keys/${accessKey.id}/decision`]: { allowed, explanation },
      },
      ["key", "decide", accessKey.name, "--project", "demo", "--ref", "refs/heads/x", "--on", "local"],
    );
  const shut = await asked(false, "refused: refs/heads/x is not a protected ref of the project");
  expect([shut.code, shut.stdout]).toEqual([1, expect.stringContaining("not a protected ref")]);
  const opened = await asked(true, "allowed: refs/heads/x matches refs/heads/*");
  expect(opened.code).toBe(0);
});
