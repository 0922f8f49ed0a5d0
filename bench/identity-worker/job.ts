/** A running job on a branch, and the token that it asks for. */
import type { IdentityContext } from "../../src/worker/identity/claims.ts";
import type { NewMint } from "../../src/worker/identity/ledger-store.ts";
import type { GrantedToken } from "../../src/worker/identity/token-decision.ts";

export const context: IdentityContext = {
  issuer: "http://127.0.0.1:8787",
  org: { id: "01934f5c-0000-7000-8000-000000000001", name: "acme", settings: { pull_request_word: "pr" } },
  project: { id: "01934f5c-0000-7000-8000-000000000002", name: "shop" },
  repository: { name: "shop", slug: "acme/shop" },
  git: {
    ref: "refs/heads/release/2026-11",
    ref_type: "branch",
    sha: "0123456789abcdef0123456789abcdef01234567",
    ref_protected: true,
    fork: false,
    pull_request: null,
    trg: "api",
    proof: "api",
  },
  workflowId: "01934f5c-0000-7000-8000-000000000003",
  pipelineId: "01934f5c-0000-7000-8000-000000000004",
  jobId: "01934f5c-0000-7000-8000-000000000005",
  actor: "01934f5c-0000-7000-8000-000000000006",
};

export const granted: GrantedToken = {
  audience: "sts.amazonaws.com",
  subject: "semaphore",
  lifeSeconds: 3600,
  tags: [],
  claims: null,
};

export const maskKeyId = new Uint8Array(8);

/** The ledger's row as it is, with no word on whether it may be. */
export function bareInsert(db: D1Database, { sub, jobId, claimNumber, agentId, ...mint }: NewMint) {
  const sql = `INSERT INTO identity_ledger
      (jti, job_id, claim_number, agent_id, kid, aud, sub, issued_at, expires_at, is_default, project_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`;
  const times = [mint.issuedAt * 1000, mint.expiresAt * 1000];
  const who = [jobId, claimNumber, agentId];
  return db.prepare(sql).bind(mint.jti, ...who, mint.kid, mint.aud, sub, ...times, context.project.id);
}

/** The rows that a mint's guard reads: the job, and the key that seals. */
export async function seedJob(db: D1Database): Promise<void> {
  const { project, workflowId, pipelineId, jobId } = context;
  const add = (sql: string, ...binds: unknown[]) => db.prepare(sql).bind(...binds);
  await db.batch([
    add("INSERT INTO sealing_keys (key_id, self_test, created_at) VALUES (?, x'00', 0)", maskKeyId),
    add("INSERT INTO sealing_state (singleton, seals_with) VALUES (1, ?)", maskKeyId),
    add(
      `INSERT INTO projects (id, name, repository_name, repository, settings, revision, request_mac, created_at, created_by)
       VALUES (?, ?, ?, '{}', '{}', 1, x'00', 0, '')`,
      project.id,
      project.name,
      project.name,
    ),
    add(
      "INSERT INTO workflows (id, project_id, git, created_at, created_by) VALUES (?, ?, '{}', 0, '')",
      workflowId,
      project.id,
    ),
    add("INSERT INTO pipelines (id, workflow_id, created_at) VALUES (?, ?, 0)", pipelineId, workflowId),
    add(
      `INSERT INTO agent_types (id, name, policy, revision, request_mac, created_at, created_by)
       VALUES ('type', 'type', '{}', 1, x'00', 0, '')`,
    ),
    add(
      `INSERT INTO jobs (id, project_id, pipeline_id, name, agent_type_id, state, claim_number, time_limit_seconds,
         request_mac, created_at, created_by)
       VALUES (?, ?, ?, 'job', 'type', 'running', 1, 3600, x'00', 0, '')`,
      jobId,
      project.id,
      pipelineId,
    ),
  ]);
}
