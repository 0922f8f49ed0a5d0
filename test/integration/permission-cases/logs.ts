/** Who may read and watch logs. */
import { type Case, plain } from "../../support/permissions.ts";
import { upgrade } from "../../support/raw-request.ts";

export const logCases: Case[] = [
  plain("GET /api/v1/logs/:job_id", "log.read", "here", 200, ({ jobId }) => `/api/v1/logs/${jobId}`),
  plain("GET /api/v1/logs/:job_id/text", "log.read", "here", 200, ({ jobId }) => `/api/v1/logs/${jobId}/text`),
  plain("GET /api/v1/logs/:job_id/summary", "log.read", "here", 200, ({ jobId }) => `/api/v1/logs/${jobId}/summary`),
  plain("GET /api/v1/logs/:job_id/line", "log.read", "here", 200, ({ jobId }) => `/api/v1/logs/${jobId}/line?at=1`),
  plain("GET /api/v1/logs/:job_id/search", "log.read", "here", 200, ({ jobId }) => `/api/v1/logs/${jobId}/search?q=hi`),
  plain("GET /api/v1/logs/:job_id/events", "log.read", "here", 200, ({ jobId }) => `/api/v1/logs/${jobId}/events`),
  plain("GET /api/v1/logs/:job_id/event", "log.read", "here", 200, ({ jobId }) => `/api/v1/logs/${jobId}/event?at=0`),
  plain(
    "POST /api/v1/socket-tickets",
    "log.read",
    "here",
    201,
    () => "/api/v1/socket-tickets",
    ({ jobId }) => ({ purpose: "job", job_id: jobId }),
  ),
  {
    route: "GET /api/ws",
    action: "log.read",
    scope: "here",
    success: 101,
    ask: ({ world, jobId }, { token }) => upgrade(world.harness, token, jobId),
  },
];
