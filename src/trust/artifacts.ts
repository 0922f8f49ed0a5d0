/** What the artifacts of all clouds share. */
import type { SubjectForm } from "../protocol/identity-profiles.ts";
import {
  type GeneratedTrust,
  type TrustArtifact,
  TrustCloud,
  type TrustOptions,
  type TrustTarget,
} from "../protocol/trust.ts";
import { celQuoted, shellQuoted } from "./quoting.ts";
import type { TrustedProject, TrustedScope } from "./subject.ts";

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** How the project's jobs come to ask for such tokens. With the id form the profile alone holds them to these refs. */
export function profileArtifact(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  profile: { name: string; audience: string; form: SubjectForm },
): TrustArtifact {
  const jobs = profile.form === "id" ? "jobs on these refs, and no others," : "jobs";
  const title = `Let the project's ${jobs} ask for such tokens`;
  return { name: "profile.sh", title, language: "sh", text: profileCommand(project, scopes, profile) };
}

/** The identity profile that lets the project's jobs on these refs, and no others, ask for such tokens. */
function profileCommand(
  { project, issuer }: TrustedProject,
  scopes: readonly TrustedScope[],
  { name, audience, form }: { name: string; audience: string; form: SubjectForm },
): string {
  if (audience === issuer && form === "semaphore") {
    return "# None is needed: SEMAPHORE_OIDC_TOKEN has this audience.\n";
  }
  const refs = scopes.map(({ ref, exact }) => `  --refs ${shellQuoted(exact ? ref : `${ref}**`)}`);
  return `${[
    `signalbox identity-profile create ${name} --project ${project.name}`,
    `  --audience ${shellQuoted(audience)} --subject ${form} --lifetime 15m`,
    ...refs,
  ].join(" \\\n")}\n`;
}

export function sharedNotes(scopes: readonly TrustedScope[]): string[] {
  const notes = ["Jobs of forks are refused: they get no token, or one whose ref_type is fork."];
  if (scopes.some(({ type }) => type === "pr")) {
    notes.push("Pull requests are trusted as asked: whoever may open one from this repository runs with these rights.");
  }
  if (scopes.some(({ exact }) => !exact)) {
    notes.push(
      "Whoever may create a ref under the prefix gets these rights: protect it (signalbox project set --protect).",
    );
  }
  return notes;
}

/** A condition over claims in CEL, the same for Google and Kubernetes: project, kind of ref, ref, and no fork. */
export function claimCondition(
  variable: string,
  { org, project }: TrustedProject,
  scopes: readonly TrustedScope[],
): string {
  const claim = (name: string) => `${variable}.${name}`;
  const refs = scopes.map(({ type, ref, exact }) => {
    const fits = exact ? `${claim("ref")} == ${celQuoted(ref)}` : `${claim("ref")}.startsWith(${celQuoted(ref)})`;
    return `${claim("ref_type")} == '${type}' && ${fits}`;
  });
  const [only = ""] = refs;
  const anyRef = refs.length === 1 ? only : `(${refs.map((each) => `(${each})`).join(" || ")})`;
  return [
    `${claim("org_id")} == '${org.id}'`,
    `${claim("prj_id")} == '${project.id}'`,
    `${claim("fork")} == 'false'`,
    anyRef,
  ].join(" && ");
}

/** The command that prints all this again. */
export function generateCommand(cloud: TrustTarget, { project }: TrustedProject, options: TrustOptions): string {
  const names = Object.entries(options.names).map(([name, value]) => `--${name} ${value}`);
  return `${[
    `signalbox trust generate --cloud ${cloud} --project ${project.name}`,
    ...options.refs.map((ref) => `--ref ${shellQuoted(ref)}`),
    ...(options.audience === undefined ? [] : [`--audience ${shellQuoted(options.audience)}`]),
    ...(options.session_tags ? ["--session-tags"] : []),
    ...names,
  ].join(" ")}\n`;
}

/** What to do when the cloud refuses, where explain reads its policies. */
export function refusedArtifact(
  { cloud, audience, subject_form: form, artifacts }: GeneratedTrust,
  { project }: TrustedProject,
  scopes: readonly TrustedScope[],
): TrustArtifact[] {
  const [policy] = artifacts;
  if (!TrustCloud.safeParse(cloud).success || policy === undefined) return [];
  const asked = `--audience ${shellQuoted(audience)}${form === "semaphore" ? "" : ` --subject ${form}`}`;
  const [scope] = scopes;
  const ref = scope === undefined || !scope.exact || scope.type === "pr" ? "refs/heads/main" : scope.ref;
  const text = `signalbox trust lint --cloud ${cloud} ${policy.name}
signalbox trust explain --cloud ${cloud} ${policy.name} --job JOB_ID ${asked}
signalbox trust explain --cloud ${cloud} ${policy.name} --project ${project.name} --ref ${shellQuoted(ref)} ${asked}
signalbox token request ${asked} | signalbox trust explain --cloud ${cloud} ${policy.name} --jwt -
`;
  return [{ name: "refused.sh", title: "If it is refused", language: "sh", text }];
}
