/**
 * The five calls that an agent makes to its hub (AGENT-PROTOCOL section 2), each once: retrying is the caller's.
 * Answers are read as leniently as the protocol allows, since the hub need not be ours. Never logs a token.
 */
import * as z from "zod";
import type { RegisterRequest, SyncRequest } from "../protocol/agent-protocol.ts";
import { RefreshAnswer, RegisterAnswer } from "../protocol/agent-protocol.ts";
import { Problem } from "../protocol/problem.ts";
import { exchange, type Fetch, type HttpAnswer } from "./http.ts";
import { userAgent } from "./version.ts";

export type HubAnswer<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly status: number; readonly detail: string };

/** Unknown actions are no-ops and a missing interval is the agent's own choice, so nothing here may be required. */
export const LenientSyncAnswer = z.object({
  action: z.string().catch(""),
  job_id: z.string().catch(""),
  shutdown_reason: z.string().catch(""),
  next_sync_after: z.number().positive().max(3_600_000).catch(0),
});
export type LenientSyncAnswer = z.infer<typeof LenientSyncAnswer>;

export class HubClient {
  readonly #base: string;
  readonly #fetch: Fetch;
  #token = "";

  constructor(endpoint: string, fetch: Fetch) {
    this.#base = `${endpoint.replace(/\/+$/, "")}/api/v1/self_hosted_agents`;
    this.#fetch = fetch;
  }

  /** Any 2xx registers; the access token of the answer is kept for the other four calls. */
  async register(token: string, request: RegisterRequest, signal?: AbortSignal): Promise<HubAnswer<{ name: string }>> {
    const answer = await this.#call("POST", "/register", { token, body: JSON.stringify(request), signal });
    const registered = answer.status >= 200 && answer.status <= 299 ? parse(RegisterAnswer, answer) : refused(answer);
    if (registered.ok) this.#token = registered.value.token;
    return registered;
  }

  async sync(request: SyncRequest, signal?: AbortSignal): Promise<HubAnswer<LenientSyncAnswer>> {
    const answer = await this.#call("POST", "/sync", { body: JSON.stringify(request), signal });
    return answer.status === 200 ? parse(LenientSyncAnswer, answer) : refused(answer);
  }

  /** The job request as it came: `readJobRequest` judges it. */
  async job(jobId: string, signal?: AbortSignal): Promise<HubAnswer<unknown>> {
    const answer = await this.#call("GET", `/jobs/${encodeURIComponent(jobId)}`, { signal });
    return answer.status === 200 ? parse(z.unknown(), answer) : refused(answer);
  }

  /** A fresh token for log pushes. */
  async refresh(signal?: AbortSignal): Promise<HubAnswer<{ token: string }>> {
    const answer = await this.#call("POST", "/refresh", { signal });
    return answer.status === 200 ? parse(RefreshAnswer, answer) : refused(answer);
  }

  async disconnect(): Promise<HubAnswer<null>> {
    const answer = await this.#call("POST", "/disconnect", {});
    return answer.status === 200 ? { ok: true, value: null } : refused(answer);
  }

  #call(
    method: "GET" | "POST",
    path: string,
    call: { token?: string; body?: string; signal?: AbortSignal | undefined },
  ): Promise<HttpAnswer> {
    return exchange(this.#fetch, {
      method,
      url: this.#base + path,
      headers: {
        Authorization: `Token ${call.token ?? this.#token}`,
        "User-Agent": userAgent,
        ...(call.body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(method === "POST" ? { body: call.body ?? "" } : {}),
      signal: call.signal,
    });
  }
}

function parse<Value>(schema: z.ZodType<Value>, answer: HttpAnswer): HubAnswer<Value> {
  const parsed = schema.safeParse(fromJson(answer.body));
  if (parsed.success && parsed.data !== undefined) return { ok: true, value: parsed.data };
  return { ok: false, status: answer.status, detail: "an answer that is not what the protocol says" };
}

function refused(answer: HttpAnswer): { ok: false; status: number; detail: string } {
  const problem = Problem.safeParse(fromJson(answer.body));
  if (problem.success) return { ok: false, status: answer.status, detail: problem.data.detail };
  return { ok: false, status: answer.status, detail: answer.status === 0 ? answer.body : `status ${answer.status}` };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
