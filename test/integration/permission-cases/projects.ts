/** Who may see, make and change projects. */
import { type Case, plain, unique } from "../../support/permissions.ts";

export const projectCases: Case[] = [
  plain(
    "POST /api/v1/projects",
    "project.create",
    "organization",
    201,
    () => "/api/v1/projects",
    () => {
      const name = unique();
      return { name, repository: { name, slug: "a/b" } };
    },
  ),
  plain("GET /api/v1/projects", "project.read", "own", 200, () => "/api/v1/projects"),
  plain("GET /api/v1/projects/:project_id", "project.read", "here", 200, ({ project }) => project()),
  plain(
    "PATCH /api/v1/projects/:project_id",
    "project.change",
    "here",
    200,
    ({ project }) => project(),
    () => ({
      job_time_limit_seconds: 3600,
    }),
  ),
];
