/**
 * Generated policies over generated git contexts: the tokens are what the issuer's own code makes, and each policy
 * takes exactly the jobs that it was asked to trust.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OrganizationSettings } from "../../../src/protocol/accounts.ts";
import { type GitContext, GitRef, refTypeOf } from "../../../src/protocol/git-context.ts";
import type { SubjectForm } from "../../../src/protocol/identity-profiles.ts";
import { matchesRef } from "../../../src/protocol/ref-pattern.ts";
import { TrustCloud, TrustOptions, TrustTarget } from "../../../src/protocol/trust.ts";
import type { TrustedProject } from "../../../src/trust/subject.ts";
import { explainTrust, generateTrust, lintTrust } from "../../../src/trust/trust.ts";
import { identityClaims } from "../../../src/worker/identity/claims.ts";
import type { EpochSeconds } from "../../../src/worker/lib/time.ts";
import { issuer, now, orgId, projectId } from "./tokens.ts";

const project: TrustedProject & { project: { name: string } } = {
  issuer,
  org: { id: orgId, name: "acme" },
  project: { id: projectId, name: "web" },
  repo: "web",
};

interface Where {
  ref: string;
  fork?: boolean;
  projectId?: string;
  org?: string;
  settings?: OrganizationSettings;
}

/** The token of a job there, made by the issuer. */
function tokenOf(
  { ref, fork = false, projectId: id = projectId, org = "acme", settings = { pull_request_word: "pr" } }: Where,
  aud: string,
  form: SubjectForm,
) {
  const ref_type = refTypeOf(ref);
  if (ref_type === null) throw new Error(`no job runs on ${ref}`);
  const git: GitContext = {
    ref,
    ref_type,
    sha: "0".repeat(40),
    ref_protected: false,
    fork,
    pull_request: null,
    trg: "api",
    proof: "api",
  };
  const context = {
    issuer,
    org: { id: org === "acme" ? orgId : id, name: org, settings },
    project: { id, name: "web" },
    repository: { name: "web", slug: "acme/web" },
    git,
    workflowId: "w",
    pipelineId: "p",
    jobId: "j",
    actor: "a",
  };
  const mint = { jti: "t", aud, issuedAt: now as EpochSeconds, expiresAt: (now + 900) as EpochSeconds };
  return identityClaims(context, mint, form);
}

const options = (refs: string[], more = {}) => TrustOptions.parse({ refs, ...more });

/** Whether the cloud takes it, as the issuer's policy lets it be asked for: a profile names the same refs. */
async function takes(cloud: TrustCloud, refs: string[], where: Where): Promise<boolean> {
  const exact = refs.filter((ref) => !ref.endsWith("**"));
  const subjects = await Promise.all(
    exact.map(async (ref) => [ref, (await tokenOf({ ref }, "x", "semaphore")).sub] as const),
  );
  const made = generateTrust(
    cloud,
    project,
    options(refs),
    Object.fromEntries(subjects.filter(([, sub]) => sub.includes("~"))),
  );
  const byProfile =
    made.subject_form !== "id" || (!where.fork && refs.some((pattern) => matchesRef(pattern, where.ref)));
  const claims = await tokenOf(where, made.audience, byProfile ? made.subject_form : "semaphore");
  const { verdict } = explainTrust(cloud, made.policy, claims, now);
  expect(verdict).not.toBe("unknown");
  return verdict === "accepted";
}

const word = fc
  .stringMatching(/^[A-Za-z0-9][A-Za-z0-9$%{}'"&;(),=+!#é-]{0,12}$/)
  .filter((text) => !text.endsWith(".lock"));
const refOf = fc
  .tuple(fc.constantFrom("refs/heads/", "refs/tags/"), fc.array(word, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([start, words, long]) => `${start}${words.join("/")}${long ? `/${"long".repeat(60)}` : ""}`)
  .filter((ref) => GitRef.safeParse(ref).success);
const prefixOf = fc
  .tuple(fc.constantFrom("refs/heads/", "refs/tags/"), word)
  .map(([start, name]) => `${start}${name}/**`)
  .filter((pattern) => GitRef.safeParse(`${pattern.slice(0, -2)}x`).success);
const elsewhere = "01980000-0000-7000-8000-00000000000f";

/** Azure's credential names the project alone: its refs are the identity profile's. */
const clouds = TrustCloud.options;

describe.each(clouds)("a policy for %s", (cloud) => {
  it("takes the refs that it names, and no fork, other project, other organization or look-alike", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(refOf, { minLength: 1, maxLength: 3 }),
        refOf,
        word,
        async (refs, other, tail) => {
          for (const ref of refs) expect(await takes(cloud, refs, { ref })).toBe(true);
          const [ref = ""] = refs;
          expect(await takes(cloud, refs, { ref: other })).toBe(refs.includes(other));
          for (const near of [
            `${ref}-${tail}`,
            `${ref}/${tail}`,
            ref.slice(0, -1),
            ref.toUpperCase().replace(/^REFS\/(HEADS|TAGS)/, (start) => start.toLowerCase()),
          ]) {
            if (!GitRef.safeParse(near).success || refTypeOf(near) === null) continue;
            expect(await takes(cloud, refs, { ref: near })).toBe(refs.includes(near));
          }
          expect(await takes(cloud, refs, { ref: "refs/pull/7/merge" })).toBe(false);
          expect(await takes(cloud, refs, { ref, projectId: elsewhere })).toBe(false);
          expect(await takes(cloud, refs, { ref, org: "evil", projectId: elsewhere })).toBe(false);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("with a prefix takes what is under it, and nothing that only begins alike", async () => {
    await fc.assert(
      fc.asyncProperty(prefixOf, word, async (pattern, tail) => {
        const prefix = pattern.slice(0, -2);
        const near = [
          `${prefix}${tail}`,
          `${prefix}a/${tail}`,
          `${prefix.slice(0, -1)}-x/${tail}`,
          prefix.slice(0, -1),
        ];
        for (const ref of near.filter((each) => GitRef.safeParse(each).success && refTypeOf(each) !== null)) {
          expect([ref, await takes(cloud, [pattern], { ref })]).toEqual([ref, ref.startsWith(prefix)]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("refuses a fork's pull request, whatever its head is called", async () => {
    for (const fork of [true, false]) {
      expect(await takes(cloud, ["refs/heads/main", "refs/heads/release/**"], { ref: "refs/pull/3/head", fork })).toBe(
        false,
      );
    }
  });

  it("refuses a token that says it is a fork's, even on a trusted branch, where the cloud can see it", async () => {
    // AWS and Entra see the subject alone: the issuer gives forks no token, or one whose subject says fork.
    if (cloud === "aws" || cloud === "azure") return;
    expect(await takes(cloud, ["refs/heads/main"], { ref: "refs/heads/main", fork: true })).toBe(false);
  });

  it("refuses a subject that was shortened, or cut from a longer one", async () => {
    const made = generateTrust(cloud, project, options(["refs/heads/main"]));
    const claims = await tokenOf({ ref: "refs/heads/main" }, made.audience, made.subject_form);
    const changed = [
      { sub: claims.sub.slice(0, -1), ref: "refs/heads/mai" },
      { sub: `${claims.sub}~${"a".repeat(26)}`, ref: "refs/heads/main~" },
      { sub: claims.sub.replace(projectId, ""), prj_id: "" },
    ];
    for (const change of changed) {
      const verdict = explainTrust(cloud, made.policy, { ...claims, ...change }, now).verdict;
      expect([change, verdict]).toEqual([change, "refused"]);
    }
  });

  it("refuses another audience, another issuer, and a token that has expired", async () => {
    const made = generateTrust(cloud, project, options(["refs/heads/main"]));
    const claims = await tokenOf({ ref: "refs/heads/main" }, made.audience, made.subject_form);
    const changed: Record<string, unknown>[] = [{ aud: issuer }, { exp: now - 301 }];
    // A Vault role does not say whose tokens its mount takes: its configuration does.
    if (cloud !== "vault") changed.push({ iss: "https://evil.example.com" });
    for (const change of changed) {
      expect([change, explainTrust(cloud, made.policy, { ...claims, ...change }, now).verdict]).toEqual([
        change,
        "refused",
      ]);
    }
  });

  it("has nothing that lint finds", () => {
    for (const refs of [["refs/heads/main"], ["refs/heads/main", "refs/tags/v/**"], ["refs/heads/a'b$c%{d}"]]) {
      expect(lintTrust(cloud, generateTrust(cloud, project, options(refs)).policy).findings).toEqual([]);
    }
  });
});

it("no generated policy of any target trusts the issuer with an audience alone", () => {
  for (const target of TrustTarget.options) {
    expect(generateTrust(target, project, options(["refs/heads/main"])).policy).toContain(projectId);
  }
});

it("a prefix that ends within a name is refused: it would fit look-alikes", () => {
  for (const ref of [
    "refs/heads/main*",
    "refs/heads/**x",
    "refs/**",
    "refs/heads/a*/**",
    "refs/heads//**",
    "main",
    "refs/notes/x/**",
  ]) {
    expect([ref, TrustOptions.safeParse({ refs: [ref] }).success]).toEqual([ref, false]);
  }
});

it("names that could leave a shell word or a quoted text are refused", () => {
  for (const principal of ["a b", "a;b", "a'b", 'a"b', "$(a)", "a`b`", "-x", "a\nb"]) {
    expect([principal, TrustOptions.safeParse({ refs: ["refs/heads/main"], names: { principal } }).success]).toEqual([
      principal,
      false,
    ]);
  }
});

it.each(["pr", "pull-request"] as const)("pull requests are trusted by the organization's word: %s", async (mine) => {
  const settings = { pull_request_word: mine };
  const ref = "refs/pull/7/merge";
  for (const trusted of [ref, "refs/pull/**"]) {
    const made = generateTrust("aws", { ...project, org: { ...project.org, settings } }, options([trusted]));
    const verdictOn = async (where: Where) =>
      explainTrust("aws", made.policy, await tokenOf(where, made.audience, made.subject_form), now).verdict;
    const others = { pull_request_word: mine === "pr" ? ("pull-request" as const) : ("pr" as const) };
    expect(await verdictOn({ ref, settings })).toBe("accepted");
    expect(await verdictOn({ ref, settings: others })).toBe("refused");
    expect(await verdictOn({ ref, settings, fork: true })).toBe("refused");
  }
});

it("a ref whose subject is cut takes the server: nobody else knows the hash", () => {
  const refs = [`refs/heads/${"long".repeat(60)}`];
  expect(() => generateTrust("aws", project, options(refs))).toThrow(/only the server knows/);
});

describe("Terraform", () => {
  const hostile = ["refs/heads/$" + "{file(1)}", "refs/heads/%" + "{if(x)}"];
  const terraform = (cloud: TrustCloud, refs: string[], audience = "the-cloud") =>
    generateTrust(cloud, project, options(refs, { audience })).artifacts.find(({ language }) => language === "hcl")
      ?.text ?? "";

  it.each(["aws", "gcp", "azure", "vault"] as const)(
    "runs no template that a ref or an audience holds, for %s",
    (cloud) => {
      for (const text of [terraform(cloud, hostile), terraform(cloud, ["refs/heads/main"], "$" + "{path.cwd}")]) {
        const templates = [...text.matchAll(/(?<!\$)(?:\$\$)*\$\{([^}]*)\}|(?<!%)(?:%%)*%\{/g)].map(
          ([, inner]) => inner,
        );
        expect(templates.filter((inner) => inner !== "aws_iam_openid_connect_provider.signalbox.arn")).toEqual([]);
      }
    },
  );

  it("names no ref with a comma to Vault's provider, which would split it into others", () => {
    expect(terraform("vault", ["refs/heads/x,refs/heads/main"])).toMatch(/^# .*comma/);
  });
});
