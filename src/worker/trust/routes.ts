import {
  GeneratedTrust,
  TrustExplainRequest,
  TrustExplanation,
  TrustGenerateRequest,
  TrustLint,
  TrustLintRequest,
} from "../../protocol/trust.ts";
import { json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { Trust } from "./trust.ts";

export function trustRoutes(trust: Trust): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/v1/trust/generate",
      access: "person",
      summary: "Write the least trust policy of a cloud for a project's jobs on some refs",
      body: TrustGenerateRequest,
      answers: { 200: { description: "the policy, commands and Terraform", schema: GeneratedTrust } },
      handle: async ({ principal, body }) => json(200, await trust.generate(principal, body)),
    }),
    route({
      method: "POST",
      path: "/api/v1/trust/lint",
      access: "person",
      summary: "Say what is unsafe in a trust policy, or never fits",
      body: TrustLintRequest,
      answers: { 200: { description: "what was found; none is good", schema: TrustLint } },
      handle: ({ body }) => json(200, trust.lint(body)),
    }),
    route({
      method: "POST",
      path: "/api/v1/trust/explain",
      access: "person",
      summary: "Say whether a cloud would take a token by this policy, condition by condition why; nothing is verified",
      body: TrustExplainRequest,
      answers: { 200: { description: "the verdict, and every comparison", schema: TrustExplanation } },
      handle: async ({ principal, body }) => json(200, await trust.explain(principal, body)),
    }),
  ];
}
