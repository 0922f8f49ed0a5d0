/** No two contexts share a subject: near misses that a shrinking generator makes, cut forms and forks included. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { GitRef } from "../../../../src/protocol/git-context.ts";
import { type SubjectParts, subject, subject127 } from "../../../../src/worker/identity/subject.ts";
import { idOf } from "../fixtures.ts";

const letters = fc.constantFrom("a", "b", ":", "%", "é", "/", "-", "%C3%A9", "x".repeat(90));
const ref = fc
  .array(letters, { minLength: 1, maxLength: 5 })
  .map((parts) => `refs/heads/${parts.join("")}`)
  .filter((text) => GitRef.safeParse(text).success);
const name = fc.constantFrom("a", "ab", "b", "a".repeat(63));
const parts: fc.Arbitrary<SubjectParts> = fc.record({
  org: name,
  projectId: fc.constantFrom(idOf(1), idOf(2)),
  repo: name,
  refType: fc.constantFrom("branch", "tag", "pr", "fork"),
  ref,
});

test.each([
  ["semaphore", subject, 255],
  ["sub127", subject127, 127],
] as const)("two contexts have one %s subject only where they are one context", async (_, form, charsMax) => {
  await fc.assert(
    fc.asyncProperty(parts, parts, fc.constantFrom("pr", "pull-request"), async (one, two, pullRequestWord) => {
      const subjects = await Promise.all([one, two].map((each) => form({ ...each, pullRequestWord })));
      const same = JSON.stringify(one) === JSON.stringify(two);
      expect(subjects[0] === subjects[1]).toBe(same);
      for (const text of subjects) expect(text).toMatch(new RegExp(`^[\\x21-\\x7e]{1,${charsMax}}$`));
    }),
    { seed: 11, numRuns: 1000 },
  );
});
