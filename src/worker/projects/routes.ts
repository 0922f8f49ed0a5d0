import type * as z from "zod";
import { List, Page } from "../../protocol/list.ts";
import { Name } from "../../protocol/names.ts";
import { Project, ProjectCreate, ProjectPatch } from "../../protocol/projects.ts";
import { readRevision } from "../http/if-match.ts";
import { created, json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { Projects } from "./projects.ts";

const NamedPage = Page.extend({ name: Name.optional() });

export function projectRoutes(projects: Projects): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/projects",
      access: "person",
      summary: "Make a project",
      body: ProjectCreate,
      answers: { 201: { description: "made", schema: Project }, 200: { description: "made before", schema: Project } },
      handle: async ({ principal, body }) => created(await projects.create(principal, body)),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects",
      access: "person",
      summary: "List the projects that you may see",
      query: NamedPage,
      answers: { 200: { description: "a page", schema: List(Project) } },
      handle: async ({ principal, query }) => json(200, await projects.list(principal, query.name ?? null, query)),
    }),
    route({
      method: "GET",
      path: "/api/v1/projects/:project_id",
      access: "person",
      summary: "Show a project",
      answers: { 200: { description: "the project", schema: Project } },
      handle: async ({ principal, params }) => json(200, await projects.show(principal, params.project_id)),
    }),
    route({
      method: "PATCH",
      path: "/api/v1/projects/:project_id",
      access: "person",
      summary: "Change a project's settings; If-Match takes the revision that you read",
      body: ProjectPatch.refine(
        (patch) => Object.keys(patch).length > 0,
        "must change something",
      ) as z.ZodType<ProjectPatch>,
      answers: { 200: { description: "the project as it is now", schema: Project } },
      handle: async ({ principal, params, body, request }) =>
        json(200, await projects.change(principal, params.project_id, body, readRevision(request))),
    }),
  ];
}
