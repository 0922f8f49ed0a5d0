/** Generated git refs: every kind of letter that git allows, at every length that we take. */

import { GitRef, type RefType, refTypeOf } from "../../../../src/protocol/git-context.ts";
import type { SubjectParts } from "../../../../src/worker/identity/subject.ts";
import { seeded, textOf } from "../../logs/seeded.ts";
import { idOf } from "../fixtures.ts";

const alphabets = ["ab", "abc/", "a%2F5C", "aä€\u{1f682}", "-._+@{}()!$&'=,;#\"<>|", "Äa%", "\u0080\u00ff\u2028\ufeff"];

/** Subject parts that git and our own names allow. Short alphabets, so that near misses are many. */
export function generatedParts(seed: number, count: number): (SubjectParts & { refType: RefType })[] {
  const random = seeded(seed);
  const parts: (SubjectParts & { refType: RefType })[] = [];
  const prefixes = ["refs/heads/", "refs/tags/", "refs/pull/1/", "refs/pull/12/"];
  while (parts.length < count) {
    const length = random(4) === 0 ? 60 + random(400) : 1 + random(30);
    const alphabet = alphabets[random(alphabets.length)] ?? "ab";
    const ref = `${prefixes[random(4)]}${textOf(random, alphabet, length)}`;
    const refType = refTypeOf(ref);
    if (refType === null || !GitRef.safeParse(ref).success) continue;
    parts.push({
      org: textOf(random, "ab", 1 + random(random(8) === 0 ? 62 : 3)),
      projectId: idOf(random(3)),
      repo: textOf(random, "ab.-", 1 + random(random(8) === 0 ? 62 : 3)).replace(/^[.-]/, "a"),
      refType,
      ref,
    });
  }
  return parts;
}
