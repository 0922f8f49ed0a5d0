import { describe, expect, test } from "vitest";
import { AgentTypePolicy } from "../../../../src/protocol/agent-types.ts";
import { typeRefusal } from "../../../../src/worker/agents/agent-type-policy.ts";
import { gitContext, idOf, pullRequestContext, tagContext } from "../fixtures.ts";

const policy = (changes: object = {}) => AgentTypePolicy.parse({ project_ids: [idOf(1), idOf(2)], ...changes });
const stranger = "no agent type of this name takes jobs of this project";
const unprotected = gitContext({ ref: "refs/heads/topic", ref_protected: false });

test("a type takes protected refs of its projects, where nothing else is said", () => {
  expect(typeRefusal(policy(), idOf(1), gitContext())).toBeNull();
  expect(typeRefusal(policy(), idOf(2), gitContext())).toBeNull();
  expect(typeRefusal(policy(), idOf(1), unprotected)).toBe(
    "its agents take protected refs alone, and refs/heads/topic is none",
  );
});

test("a project that is not its own learns nothing of it, whatever else would refuse the job", () => {
  for (const git of [gitContext(), unprotected, gitContext({ fork: true })]) {
    for (const changes of [{}, { refs: ["refs/tags/*"] }, { forks: true }]) {
      expect(typeRefusal(policy(changes), idOf(3), git)).toBe(stranger);
    }
  }
});

describe("forks", () => {
  const fork = { ...pullRequestContext, fork: true };
  test("are taken where the type says so, and a pattern has the ref", () => {
    expect(typeRefusal(policy({ refs: ["refs/**"] }), idOf(1), fork)).toBe("its agents take no jobs of forks");
    expect(typeRefusal(policy({ refs: ["refs/**"], forks: true }), idOf(1), fork)).toBeNull();
    expect(typeRefusal(policy({ refs: ["refs/heads/*"], forks: true }), idOf(1), fork)).toContain("matches none of");
  });
});

test("patterns decide alone: a protected ref that none has is refused", () => {
  expect(typeRefusal(policy({ refs: ["refs/tags/v*"] }), idOf(1), tagContext)).toBeNull();
  expect(typeRefusal(policy({ refs: ["refs/tags/v*", "refs/heads/x"] }), idOf(1), gitContext())).toBe(
    "refs/heads/main matches none of refs/tags/v*, refs/heads/x",
  );
});
