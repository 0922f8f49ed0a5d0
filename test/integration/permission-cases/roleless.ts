/** Routes that admit by other than a person's role: public ones, agents, and who bears a job's token. */
import { registration } from "../../support/api.ts";
import { type RolelessCase, type Stage, unique } from "../../support/permissions.ts";

export const rolelessCases: RolelessCase[] = [
  { route: "GET /", none: 200, any: 200, path: () => "/" },
  { route: "GET /api/health", none: 200, any: 200, path: () => "/api/health" },
  ...["openid-configuration", "jwks.json", "jwks", "jwts"].map((name) => ({
    route: `GET /.well-known/${name}`,
    none: 200,
    any: 200,
    path: () => `/.well-known/${name}`,
  })),
  {
    route: "POST /api/v1/bootstrap",
    none: 401,
    any: 401,
    path: () => "/api/v1/bootstrap",
    body: () => ({ bootstrap_token: "wrong", organization: "acme" }),
  },
  {
    route: "POST /api/v1/identity/introspect",
    none: 200,
    any: 200,
    path: () => "/api/v1/identity/introspect",
    body: () => ({ token: "none at all" }),
  },
  ...["GET", "POST"].map((method) => ({
    route: `${method} /api/v1/jobs/:job_id/identity/token`,
    none: 401,
    any: 401,
    path: ({ jobId }: Stage) => `/api/v1/jobs/${jobId}/identity/token`,
    ...(method === "POST" && { body: () => ({}) }),
  })),
  {
    route: "POST /api/v1/logs/:job_id",
    none: 401,
    any: 401,
    path: ({ jobId }) => `/api/v1/logs/${jobId}?start_from=0`,
    body: () => '{"event":"job_started","timestamp":1}\n',
  },
  {
    route: "POST /api/v1/self_hosted_agents/register",
    none: 401,
    any: 404,
    path: () => "/api/v1/self_hosted_agents/register",
    body: () => registration(unique()),
  },
  {
    route: "POST /api/v1/self_hosted_agents/sync",
    none: 401,
    any: 404,
    path: () => "/api/v1/self_hosted_agents/sync",
    body: () => ({ state: "waiting-for-jobs", job_id: "", job_result: "", interrupted_at: 0 }),
  },
  {
    route: "GET /api/v1/self_hosted_agents/jobs/:job_id",
    none: 401,
    any: 404,
    path: ({ jobId }) => `/api/v1/self_hosted_agents/jobs/${jobId}`,
  },
  ...["refresh", "disconnect"].map((name) => ({
    route: `POST /api/v1/self_hosted_agents/${name}`,
    none: 401,
    any: 404,
    path: () => `/api/v1/self_hosted_agents/${name}`,
  })),
];
