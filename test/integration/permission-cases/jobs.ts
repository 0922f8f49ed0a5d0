/** Who may start, see and stop jobs. */
import { jobStart } from "../../support/api.ts";
import { type Case, fresh, plain } from "../../support/permissions.ts";

const newJob = (ref: string) => () => ({ ...jobStart(), ref });

export const jobCases: Case[] = [
  plain(
    "POST /api/v1/projects/:project_id/jobs",
    "job.start",
    "here",
    201,
    ({ project }) => project("/jobs"),
    newJob("refs/heads/free"),
  ),
  plain(
    "POST /api/v1/projects/:project_id/jobs",
    "job.start_protected",
    "here",
    201,
    ({ project }) => project("/jobs"),
    newJob("refs/heads/main"),
  ),
  plain("GET /api/v1/projects/:project_id/jobs", "job.read", "here", 200, ({ project }) => project("/jobs")),
  plain("GET /api/v1/job-changes", "job.read", "own", 200, () => "/api/v1/job-changes"),
  plain("GET /api/v1/jobs/:job_id", "job.read", "here", 200, ({ jobId }) => `/api/v1/jobs/${jobId}`),
  fresh(
    { route: "POST /api/v1/jobs/:job_id/stop", action: "job.stop", scope: "here", success: 200 },
    async ({ world }) => `/api/v1/jobs/${await world.startJob()}/stop`,
  ),
];
