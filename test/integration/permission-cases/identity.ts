/** Who may see and shape the identity of jobs: previews, profiles, trust policies, the ledger, signing keys. */
import { type Case, fresh, plain, unique } from "../../support/permissions.ts";

const azureCredential = JSON.stringify({ issuer: "https://ci.example.com", subject: "x", audiences: ["y"] });

export const identityCases: Case[] = [
  plain(
    "GET /api/v1/jobs/:job_id/identity",
    "identity_ledger.read",
    "here",
    200,
    ({ jobId }) => `/api/v1/jobs/${jobId}/identity`,
  ),
  plain(
    "POST /api/v1/projects/:project_id/identity/preview",
    "identity_preview.read",
    "here",
    200,
    ({ project }) => project("/identity/preview"),
    () => ({ ref: "refs/heads/main" }),
  ),
  plain(
    "POST /api/v1/projects/:project_id/identity-profiles",
    "identity_profile.change",
    "here",
    201,
    ({ project }) => project("/identity-profiles"),
    () => ({ name: unique(), rules: { audience: "vault" } }),
  ),
  plain("GET /api/v1/projects/:project_id/identity-profiles", "identity_profile.read", "here", 200, ({ project }) =>
    project("/identity-profiles"),
  ),
  fresh(
    {
      route: "DELETE /api/v1/projects/:project_id/identity-profiles/:profile_id",
      action: "identity_profile.change",
      scope: "here",
      success: 204,
    },
    async ({ project, made }) => {
      const { id } = await made(project("/identity-profiles"), { name: unique(), rules: { audience: "vault" } });
      return project(`/identity-profiles/${id}`);
    },
  ),
  plain(
    "POST /api/v1/trust/generate",
    "identity_preview.read",
    "here",
    200,
    () => "/api/v1/trust/generate",
    ({ world }) => ({ cloud: "aws", project_id: world.projectId, refs: ["refs/heads/main"] }),
  ),
  plain(
    "POST /api/v1/trust/lint",
    "organization.read",
    "own",
    200,
    () => "/api/v1/trust/lint",
    () => ({ cloud: "azure", policy: azureCredential }),
  ),
  plain(
    "POST /api/v1/trust/explain",
    "identity_preview.read",
    "here",
    200,
    () => "/api/v1/trust/explain",
    ({ jobId }) => ({ cloud: "azure", policy: azureCredential, token: { job_id: jobId } }),
  ),
  plain("GET /api/v1/projects/:project_id/identity/ledger", "identity_ledger.read", "here", 200, ({ project }) =>
    project("/identity/ledger"),
  ),
  plain("GET /api/v1/signing-keys", "signing_key.read", "organization", 200, () => "/api/v1/signing-keys"),
  plain(
    "POST /api/v1/signing-keys/compromised",
    "signing_key.compromised",
    "organization",
    422,
    () => "/api/v1/signing-keys/compromised",
    () => ({ kid: "one that no slot holds" }),
  ),
];
