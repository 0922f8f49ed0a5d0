/** Structured authentication for a Kubernetes API server, and the role binding that goes with it. */
import { stringify } from "yaml";
import type { GeneratedTrust, TrustOptions } from "../../protocol/trust.ts";
import { claimCondition, profileArtifact, sharedNotes } from "../artifacts.ts";
import { shellQuoted } from "../quoting.ts";
import type { TrustedProject, TrustedScope } from "../subject.ts";

export function generateKubernetes(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const audience = options.audience ?? "kubernetes";
  const { scope: namespace = "default" } = options.names;
  const policy = yaml(configuration(project, scopes, audience));
  return {
    cloud: "kubernetes",
    audience,
    subject_form: "semaphore",
    policy,
    artifacts: [
      {
        name: "authentication.yaml",
        title: "The API server's --authentication-config",
        language: "yaml",
        text: policy,
      },
      {
        name: "binding.yaml",
        title: "What the project's jobs may do",
        language: "yaml",
        text: yaml(binding(project, namespace)),
      },
      profileArtifact(project, scopes, { name: "kubernetes", audience, form: "semaphore" }),
      { name: "job.sh", title: "In the job", language: "sh", text: jobCommands(audience) },
    ],
    notes: [
      ...sharedNotes(scopes),
      "The API server takes each issuer once: for a second project, join its condition to this one by ||.",
      "The API server fetches the issuer's keys when it starts: it must reach the issuer.",
    ],
  };
}

function configuration(project: TrustedProject, scopes: readonly TrustedScope[], audience: string): unknown {
  return {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url: project.issuer, audiences: [audience] },
        claimValidationRules: [
          { expression: claimCondition("claims", project, scopes), message: "not a trusted project and ref" },
        ],
        claimMappings: {
          username: { expression: "'signalbox:' + claims.sub" },
          groups: { expression: "['signalbox:' + claims.prj_id]" },
        },
        userValidationRules: [
          { expression: "user.username.startsWith('signalbox:')", message: "names of others are not to be taken" },
        ],
      },
    ],
  };
}

function binding({ project }: TrustedProject, namespace: string): unknown {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: `signalbox-${project.name.replaceAll("_", "-")}`, namespace },
    subjects: [{ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: `signalbox:${project.id}` }],
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "ROLE_NAME" },
  };
}

function jobCommands(audience: string): string {
  return `umask 077
signalbox token request --audience ${shellQuoted(audience)} --output "$HOME/kubernetes-token"
kubectl config set-credentials signalbox --token "$(cat "$HOME/kubernetes-token")"
kubectl auth whoami --user signalbox
`;
}

function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}
