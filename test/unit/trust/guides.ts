/** The guides in docs/guides, and what each of them asks to have generated. */
import { TrustOptions, type TrustTarget } from "../../../src/protocol/trust.ts";
import type { TrustedProject } from "../../../src/trust/subject.ts";
import { generateTrust } from "../../../src/trust/trust.ts";
import { issuer, orgId, projectId } from "./tokens.ts";

const project: TrustedProject = {
  issuer,
  org: { id: orgId, name: "acme" },
  project: { id: projectId, name: "web" },
  repo: "web",
};

export const guides: readonly [file: string, target: TrustTarget, options: unknown][] = [
  ["aws.md", "aws", { refs: ["refs/heads/main"], names: { account: "111122223333", principal: "deploy-web" } }],
  [
    "google-cloud.md",
    "gcp",
    {
      refs: ["refs/heads/main"],
      names: { account: "123456789012", principal: "deployer@my-project.iam.gserviceaccount.com" },
    },
  ],
  ["azure.md", "azure", { refs: ["refs/heads/main"], names: { principal: "00000000-0000-0000-0000-00000000000a" } }],
  [
    "vault.md",
    "vault",
    { refs: ["refs/heads/main", "refs/heads/release/**"], names: { principal: "web", scope: "web-deploy" } },
  ],
  ["kubernetes.md", "kubernetes", { refs: ["refs/heads/main"], names: { scope: "web" } }],
  ["own-verifier.md", "verifier", { refs: ["refs/heads/main", "refs/tags/**"] }],
];

export function generatedFor(target: TrustTarget, options: unknown) {
  return generateTrust(target, project, TrustOptions.parse(options));
}
