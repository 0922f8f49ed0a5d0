/** What the API answers about one project with one key and one job, and the command line run against it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { fakeApi, type Table } from "./fake-api.ts";
import { type Ran, runCli } from "./support.ts";

export const id = "0198d3a0-0000-7000-8000-000000000001";
export const at = "2026-11-20T18:10:13.123Z";
export const project = {
  id,
  name: "demo",
  repository: { name: "demo", slug: "local/demo", url: "", provider: "git" },
  settings: {
    default_branch: "refs/heads/main",
    protected_refs: null,
    job_time_limit_seconds: 3600,
    github_token_variables: false,
    identity: "default",
    fork_tokens: false,
    log_retention_days: 30,
  },
  revision: 4,
  created_at: at,
  created_by: id,
};
export const accessKey = {
  id,
  project_id: id,
  name: "deploy",
  type: "string",
  policy: { refs: "protected", ref_types: ["branch"], agent_types: null, forks: false, proofs: ["api"] },
  revision: 1,
  secret_version: 1,
  created_at: at,
  created_by: id,
  public_key: null,
  fingerprint: null,
  comment: null,
  changed_at: null,
  changed_by: null,
  last_used_at: null,
  last_used_job: null,
  seen_at: null,
  seen_by: null,
};
export const job = {
  id,
  project_id: id,
  workflow_id: id,
  pipeline_id: id,
  name: "j",
  agent_type: "local",
  git: {
    ref: "refs/heads/main",
    ref_type: "branch",
    sha: "0".repeat(40),
    ref_protected: true,
    fork: false,
    pull_request: null,
    trg: "api",
    proof: "api",
  },
  state: "queued",
  result: null,
  reason: null,
  claim_number: 0,
  agent: null,
  time_limit_seconds: 3600,
  created_at: at,
  created_by: id,
  started_at: null,
  finished_at: null,
  stop_requested_at: null,
  log_deletion: null,
};
export const projects = { "GET /api/v1/projects": { items: [project], next: null } };

/** A folder and an API of its own for each test of the file. */
export function eachTest() {
  let folder: string;
  let api: Awaited<ReturnType<typeof fakeApi>> | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "signalbox-test-"));
  });
  afterEach(async () => {
    await api?.close();
    api = undefined;
    await rm(folder, { recursive: true });
  });
  return {
    folder: () => folder,
    /** What the last API was asked. */
    asked: () => api?.asked ?? [],
    async api(table: Table, unknown?: number) {
      await api?.close();
      api = await fakeApi(table, unknown);
      return api;
    },
    async file(name: string, text: string): Promise<string> {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    },
    async withApi(table: Table, argv: string[], stdin?: string): Promise<Ran> {
      const { url } = await this.api(table);
      const env = { SIGNALBOX_TOKEN: "t0ken", SIGNALBOX_URL: url };
      return await runCli(argv, { env, ...(stdin === undefined ? {} : { stdin }) });
    },
  };
}
