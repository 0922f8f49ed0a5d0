import { describe, expect, test } from "vitest";
import { KeyPolicy } from "../../../../src/protocol/access-keys.ts";
import type { GitContext } from "../../../../src/protocol/git-context.ts";
import { decide } from "../../../../src/worker/access-keys/key-policy.ts";
import { combinations, gitContext, pullRequestContext, tagContext } from "../fixtures.ts";

const policy = (changes: object = {}) => KeyPolicy.parse(changes);
const explained = (changes: object, git: GitContext, agentType = "linux") =>
  decide(policy(changes), git, agentType).explanation;

const unprotected = gitContext({ ref: "refs/heads/topic", ref_protected: false });

describe("a new key, of which nothing is said,", () => {
  test("opens on a protected ref", () => {
    expect(decide(policy(), gitContext(), "any")).toEqual({
      allowed: true,
      explanation: "allowed: refs/heads/main is protected",
    });
  });

  test("opens on no other ref", () => {
    expect(decide(policy(), unprotected, "any")).toEqual({
      allowed: false,
      explanation: "refused: refs/heads/topic is not a protected ref of the project",
    });
  });

  test("opens for no fork, not even on a protected ref", () => {
    expect(decide(policy(), gitContext({ fork: true }), "any").allowed).toBe(false);
  });
});

describe("an explanation says what was compared with what", () => {
  test.each<[string, object, GitContext, string]>([
    [
      "a match",
      { refs: ["refs/tags/*", "refs/heads/*"] },
      unprotected,
      "allowed: refs/heads/topic matches refs/heads/*",
    ],
    [
      "no match",
      { refs: ["refs/tags/*", "refs/heads/main"] },
      unprotected,
      "refused: refs/heads/topic matches none of refs/tags/*, refs/heads/main",
    ],
    [
      "a protected ref that the patterns leave out",
      { refs: ["refs/tags/*"] },
      gitContext(),
      "refused: refs/heads/main matches none of refs/tags/*",
    ],
    ["a fork", { refs: ["refs/**"] }, { ...pullRequestContext, fork: true }, "refused: the job comes from a fork"],
    [
      "a fork that is let in",
      { refs: ["refs/**"], forks: true },
      { ...pullRequestContext, fork: true },
      "allowed: refs/pull/12/head matches refs/**",
    ],
    ["a ref type", { ref_types: ["tag", "pr"] }, gitContext(), "refused: ref type branch is none of tag, pr"],
    ["a tag", { ref_types: ["tag"] }, tagContext, "allowed: refs/tags/v1.0 is protected"],
    [
      "an agent type",
      { agent_types: ["big", "small"] },
      gitContext(),
      "refused: agent type linux is none of big, small",
    ],
    ["an agent type that is let in", { agent_types: ["linux"] }, gitContext(), "allowed: refs/heads/main is protected"],
    [
      "a proof",
      { proofs: ["webhook"] },
      gitContext(),
      "refused: the ref was proven by api, and the key asks for webhook",
    ],
    [
      "a proof that is let in",
      { proofs: ["webhook"] },
      gitContext({ proof: "webhook" }),
      "allowed: refs/heads/main is protected",
    ],
    [
      "a rerun, which inherits its proof",
      { proofs: ["webhook"] },
      gitContext({ trg: "rerun", proof: "api" }),
      "refused: the ref was proven by api, and the key asks for webhook",
    ],
  ])("%s", (_, changes, git, expected) => {
    expect(explained(changes, git)).toBe(expected);
  });

  test("of several that fail, the first that a reader asks: fork, ref type, ref, agent type, proof", () => {
    const strict = { ref_types: ["tag"], refs: ["refs/tags/*"], agent_types: ["big"], proofs: ["webhook"] };
    const git = { ...unprotected, fork: true };
    const steps: [object, GitContext, string][] = [
      [strict, git, "fork"],
      [{ ...strict, forks: true }, git, "ref type"],
      [{ ...strict, forks: true, ref_types: ["branch"] }, git, "matches none"],
      [{ ...strict, forks: true, ref_types: ["branch"], refs: ["refs/**"] }, git, "agent type"],
      [{ proofs: ["webhook"], forks: true, refs: ["refs/**"] }, git, "proven by"],
    ];
    for (const [changes, context, word] of steps) expect(explained(changes, context)).toContain(word);
  });
});

describe("over every combination of conditions", () => {
  const all = combinations({
    refs: ["protected", ["refs/heads/*"], ["refs/tags/*"]],
    ref_types: [["branch"], ["tag"], ["branch", "tag", "pr"]],
    agent_types: [null, ["linux"], ["mac"]],
    forks: [true, false],
    proofs: [["api"], ["webhook"], ["api", "webhook"]],
    git: combinations({
      shape: [gitContext(), unprotected, tagContext, pullRequestContext],
      fork: [true, false],
      proof: ["api", "webhook"],
    } as const).map(({ shape, ...rest }): GitContext => ({ ...shape, ...rest })),
  });

  test("a key opens exactly when each condition holds by itself, and says so", () => {
    let opened = 0;
    for (const { git, ...changes } of all) {
      const refs = [changes.refs].flat();
      const refHolds = refs.some((p) => (p === "protected" ? git.ref_protected : git.ref.startsWith(p.slice(0, -1))));
      const holds = [
        refHolds,
        (changes.ref_types as readonly string[]).includes(git.ref_type),
        changes.agent_types === null || changes.agent_types.includes("linux"),
        changes.forks || !git.fork,
        (changes.proofs as readonly string[]).includes(git.proof),
      ];
      const { allowed, explanation } = decide(policy(changes), git, "linux");
      if (allowed !== holds.every(Boolean)) expect.fail(`${JSON.stringify({ changes, git })}: ${explanation}`);
      expect(explanation.startsWith(allowed ? "allowed: " : "refused: ")).toBe(true);
      if (allowed) opened++;
    }
    expect(opened).toBeGreaterThan(50);
  });
});
