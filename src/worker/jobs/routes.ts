import { JobChangesPage, JobChangesQuery } from "../../protocol/job-changes.ts";
import { Job, JobList, JobStart } from "../../protocol/jobs.ts";
import { Page } from "../../protocol/list.ts";
import { created, json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { JobChanges } from "./job-changes.ts";
import type { Jobs } from "./jobs.ts";

export function jobRoutes(jobs: Jobs): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/projects/:project_id/jobs",
      access: "person",
      summary: "Start a job on a git ref",
      body: JobStart,
      answers: { 201: { description: "queued", schema: Job }, 200: { description: "started before", schema: Job } },
      handle: async ({ principal, params, body }) => created(await jobs.start(principal, params.project_id, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects/:project_id/jobs",
      access: "person",
      summary: "List a project's jobs, newest first",
      query: Page,
      answers: { 200: { description: "a page", schema: JobList } },
      handle: async ({ principal, params, query }) => json(200, await jobs.list(principal, params.project_id, query)),
    }),
    route({
      method: "GET",
      path: "/api/v1/jobs/:job_id",
      access: "person",
      summary: "Show a job",
      answers: { 200: { description: "the job", schema: Job } },
      handle: async ({ principal, params }) => json(200, await jobs.show(principal, params.job_id)),
    }),
    route({
      method: "POST",
      path: "/api/v1/jobs/:job_id/stop",
      access: "person",
      summary: "Stop a job; one that is finished stays as it is",
      answers: { 200: { description: "the job as it is now", schema: Job } },
      handle: async ({ principal, params }) => json(200, await jobs.stop(principal, params.job_id)),
    }),
  ];
}

export function jobChangeRoutes(changes: JobChanges): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/job-changes",
      access: "person",
      summary: "Read how the states of all jobs that one may see changed, oldest first, after a position",
      query: JobChangesQuery,
      answers: { 200: { description: "a page; `next` goes into `after`", schema: JobChangesPage } },
      handle: async ({ principal, query }) => json(200, await changes.list(principal, query)),
    }),
  ];
}
