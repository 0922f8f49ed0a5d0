/** The environment that every job gets: AGENT-PROTOCOL section 9, less what is hosted-only. Pure. */
import { shortRef } from "../../protocol/git-context.ts";
import type { Job } from "../../protocol/jobs.ts";
import type { Project } from "../../protocol/projects.ts";

export interface JobEnvironmentContext {
  readonly issuer: string;
  readonly organizationId: string;
  readonly project: Project;
  readonly job: Job;
  /** Null where the job gets none; the variable is unset then. */
  readonly identityToken: string | null;
  /** Where and with what the job asks for more; null where it gets none. */
  readonly tokenRequest: { readonly url: string; readonly token: string } | null;
}

export function jobEnvironment(context: JobEnvironmentContext): [name: string, value: string][] {
  const { job, project } = context;
  return [
    ["TERM", "xterm"],
    ["CI", "true"],
    ["SEMAPHORE", "true"],
    ["SEMAPHORE_PROJECT_NAME", project.name],
    ["SEMAPHORE_PROJECT_ID", project.id],
    ["SEMAPHORE_JOB_NAME", job.name],
    ["SEMAPHORE_JOB_ID", job.id],
    ["SEMAPHORE_JOB_CREATION_TIME", String(Math.floor(Date.parse(job.created_at) / 1000))],
    ["SEMAPHORE_JOB_TYPE", "pipeline_job"],
    ["SEMAPHORE_AGENT_MACHINE_TYPE", job.agent_type],
    ["SEMAPHORE_AGENT_MACHINE_OS_IMAGE", ""],
    ["SEMAPHORE_AGENT_MACHINE_ENVIRONMENT_TYPE", "VM"],
    ["SEMAPHORE_ORGANIZATION_URL", context.issuer],
    ["SEMAPHORE_ORGANIZATION_ID", context.organizationId],
    ["SEMAPHORE_TOOLBOX_METRICS_ENABLED", "false"],
    ["SEMAPHORE_WORKFLOW_ID", job.workflow_id],
    ["SEMAPHORE_WORKFLOW_RERUN", String(job.git.trg === "rerun")],
    ["SEMAPHORE_WORKFLOW_TRIGGERED_BY", job.created_by],
    ["SEMAPHORE_WORKFLOW_TRIGGERED_BY_HOOK", String(job.git.trg === "webhook")],
    ["SEMAPHORE_WORKFLOW_TRIGGERED_BY_API", String(job.git.trg === "api")],
    ["SEMAPHORE_WORKFLOW_TRIGGERED_BY_SCHEDULE", String(job.git.trg === "schedule")],
    ["SEMAPHORE_WORKFLOW_TRIGGERED_BY_MANUAL_RUN", "false"],
    ["SEMAPHORE_PIPELINE_ID", job.pipeline_id],
    ["SEMAPHORE_PIPELINE_RERUN", String(job.git.trg === "rerun")],
    ...gitEnvironment(job, project),
    ...identityEnvironment(context),
  ];
}

function identityEnvironment({ identityToken, tokenRequest, project }: JobEnvironmentContext): [string, string][] {
  if (identityToken === null || tokenRequest === null) return [];
  const { url, token } = tokenRequest;
  return [
    ["SEMAPHORE_OIDC_TOKEN", identityToken],
    ["SEMAPHORE_OIDC_REQUEST_URL", url],
    ["SEMAPHORE_OIDC_REQUEST_TOKEN", token],
    ...(project.settings.github_token_variables
      ? ([
          ["ACTIONS_ID_TOKEN_REQUEST_URL", url],
          ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", token],
        ] as [string, string][])
      : []),
  ];
}

function gitEnvironment({ git }: Job, { repository }: Project): [string, string][] {
  const common: [string, string][] = [
    ["SEMAPHORE_GIT_PROVIDER", repository.provider],
    ["SEMAPHORE_GIT_URL", repository.url],
    ["SEMAPHORE_GIT_REPO_NAME", repository.name],
    ["SEMAPHORE_GIT_REPO_SLUG", repository.slug],
    ["SEMAPHORE_GIT_DIR", repository.name],
    ["SEMAPHORE_GIT_SHA", git.sha],
    ["SEMAPHORE_GIT_REF", git.ref],
    // Semaphore's own spelling here, while the claim says `pr`.
    ["SEMAPHORE_GIT_REF_TYPE", git.ref_type === "pr" ? "pull-request" : git.ref_type],
  ];
  switch (git.ref_type) {
    case "branch":
      return [
        ...common,
        ["SEMAPHORE_GIT_BRANCH", shortRef(git.ref)],
        ["SEMAPHORE_GIT_WORKING_BRANCH", shortRef(git.ref)],
      ];
    case "tag":
      return [...common, ["SEMAPHORE_GIT_BRANCH", git.ref], ["SEMAPHORE_GIT_TAG_NAME", shortRef(git.ref)]];
    case "pr":
      return [
        ...common,
        ["SEMAPHORE_GIT_PR_NUMBER", String(git.pull_request?.number ?? "")],
        ["SEMAPHORE_GIT_PR_NAME", git.pull_request?.title ?? ""],
        ["SEMAPHORE_GIT_PR_BRANCH", git.pull_request?.branch ?? ""],
        ["SEMAPHORE_GIT_WORKING_BRANCH", git.pull_request?.branch ?? ""],
        ["SEMAPHORE_GIT_PR_SHA", git.sha],
      ];
  }
}
