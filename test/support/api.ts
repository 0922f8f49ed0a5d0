/** The API as tests use it: one owner, one project, one agent type, and agents that speak the protocol raw. */
import { randomUUID } from "node:crypto";
import { bootstrapToken, type Harness } from "./harness.ts";

export const sha = "0123456789abcdef0123456789abcdef01234567";

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
type Json = any;

/** What answers: the harness, or anything that is reached as it is. */
export type Server = Pick<Harness, "fetch" | "dispatch">;

export interface Answer<Body = Json> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

/** One HTTP call; `body` goes as JSON. The answer's body is parsed where it is JSON. */
export async function call<Body = Json>(
  harness: Server,
  token: string | null,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<Body>> {
  // A whole URL is asked for as it would come from Cloudflare's edge; a path on the harness's own socket.
  const send = path.startsWith("/") ? harness.fetch : harness.dispatch;
  const response = await send(path, {
    method,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (isJson && text !== "" ? JSON.parse(text) : {}) as Body,
  };
}

export async function bootstrap(harness: Server): Promise<string> {
  const answer = await call(harness, null, "POST", "/api/v1/bootstrap", {
    bootstrap_token: bootstrapToken,
    organization: "acme",
  });
  if (answer.status !== 201) throw new Error(`bootstrap answered ${answer.status}: ${answer.text}`);
  return answer.body.token.token;
}

/** An organization with an owner, the project `web` and the agent type `linux` that serves it. */
export interface World<Reached extends Server = Harness> {
  readonly harness: Reached;
  readonly owner: string;
  readonly projectId: string;
  readonly agentTypeId: string;
  as(
    token: string | null,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<Json>>;
  /** A token of this role, in the project unless `projectId` is null. */
  tokenOf(role: string, projectId?: string | null): Promise<string>;
  /** A running agent's access token. */
  agent(name?: string): Promise<string>;
  startJob(over?: Record<string, unknown>): Promise<string>;
}

export async function createWorld<Reached extends Server>(harness: Reached): Promise<World<Reached>> {
  const owner = await bootstrap(harness);
  const as: World<Reached>["as"] = (token, method, path, body, headers) =>
    call(harness, token, method, path, body, headers);
  const made = async (path: string, body: unknown) => {
    const answer = await as(owner, "POST", path, body);
    if (answer.status !== 201) throw new Error(`POST ${path} answered ${answer.status}: ${answer.text}`);
    return answer.body;
  };
  const { id: projectId } = await made("/api/v1/projects", {
    name: "web",
    repository: { name: "web", slug: "acme/web", url: "https://git.example.com/acme/web.git" },
  });
  const policy = { project_ids: [projectId], refs: ["refs/**"] };
  const { id: agentTypeId } = await made("/api/v1/agent-types", { name: "linux", policy });
  return {
    harness,
    owner,
    projectId,
    agentTypeId,
    as,
    async tokenOf(role, project = projectId) {
      return (await made("/api/v1/tokens", { name: `${role} for a test`, role, project_id: project })).token;
    },
    async agent(name = `agent-${randomUUID().slice(0, 8)}`) {
      const { token } = await made(`/api/v1/agent-types/${agentTypeId}/registration-tokens`, {});
      const answer = await as(token, "POST", "/api/v1/self_hosted_agents/register", registration(name));
      if (answer.status !== 201) throw new Error(`register answered ${answer.status}: ${answer.text}`);
      return answer.body.token;
    },
    async startJob(over = {}) {
      return (await made(`/api/v1/projects/${projectId}/jobs`, { ...jobStart(), ...over })).id;
    },
  };
}

/** The ten fields that the official agent always sends. */
export function registration(name: string) {
  return {
    name,
    version: "v2.4.0",
    pid: 10521,
    os: "",
    arch: "x86_64",
    hostname: "vm",
    single_job: false,
    idle_timeout: 0,
    interruption_grace_period: 0,
    job_id: "",
  };
}

export function jobStart() {
  return { name: "Tests", ref: "refs/heads/main", sha, agent_type: "linux", spec: { commands: ["echo hi"] } };
}

export const sync = (world: World<Server>, agent: string, state: string, jobId = "", jobResult = "") =>
  world.as(agent, "POST", "/api/v1/self_hosted_agents/sync", {
    state,
    job_id: jobId,
    job_result: jobResult,
    interrupted_at: 0,
  });

/** Takes the oldest job and fetches it, as an agent does; answers what it was handed. */
export async function takeJob(world: World<Server>, agent: string) {
  const synced = await sync(world, agent, "waiting-for-jobs");
  if (synced.body.action !== "run-job") throw new Error(`sync answered ${synced.text}`);
  const jobId: string = synced.body.job_id;
  const fetched = await world.as(agent, "GET", `/api/v1/self_hosted_agents/jobs/${jobId}`);
  if (fetched.status !== 200) throw new Error(`GET job answered ${fetched.status}: ${fetched.text}`);
  return { jobId, request: fetched.body, logToken: fetched.body.logger.token as string };
}

/** One NDJSON push. */
export const push = (
  world: World<Server>,
  logToken: string,
  jobId: string,
  startFrom: number,
  events: readonly unknown[],
) =>
  world.as(
    logToken,
    "POST",
    `/api/v1/logs/${jobId}?start_from=${startFrom}`,
    events.map((event) => `${typeof event === "string" ? event : JSON.stringify(event)}\n`).join(""),
    { "content-type": "text/plain" },
  );

export const output = (text: string) => ({ event: "cmd_output", timestamp: 1_795_169_265, output: text });

/** The value of a variable in a job request, decoded. */
export function envOf(request: { env_vars: { name: string; value: string }[] }, name: string): string | undefined {
  const found = request.env_vars.findLast((variable) => variable.name === name);
  return found === undefined ? undefined : Buffer.from(found.value, "base64").toString();
}

/** An answer's body without what differs from call to call: two such texts are the same or tell two cases apart. */
export function comparable(answer: Pick<Answer, "text">): string {
  return answer.text.replace(/"request_id":"[0-9a-f-]{36}"/, '"request_id":"…"');
}

/** Another project of the organization, for what must not reach over from one to the other. */
export async function addProject(world: World<Server>, name: string): Promise<string> {
  const repository = { name, slug: `acme/${name}` };
  const answer = await world.as(world.owner, "POST", "/api/v1/projects", { name, repository });
  if (answer.status !== 201) throw new Error(`POST projects answered ${answer.status}: ${answer.text}`);
  return answer.body.id;
}

/** Stores a key that any ref may use; answers its id. */
export async function addKey(world: World<Server>, name: string, secret: Record<string, unknown>, over: object = {}) {
  const { projectId = world.projectId, ...rest } = over as { projectId?: string };
  const body = { name, secret, policy: { refs: ["refs/**"] }, ...rest };
  const answer = await world.as(world.owner, "POST", `/api/v1/projects/${projectId}/keys`, body);
  if (answer.status !== 201) throw new Error(`POST keys answered ${answer.status}: ${answer.text}`);
  return answer.body.id as string;
}

/** A job start whose spec names these keys. */
export function jobWithKeys(...keys: string[]) {
  return { ...jobStart(), spec: { commands: ["true"], keys: keys.map((key) => ({ key })) } };
}

export const fetchJob = (world: World<Server>, agent: string, jobId: string) =>
  world.as(agent, "GET", `/api/v1/self_hosted_agents/jobs/${jobId}`);

/** Ends the agent's job as the agent does, so that the agent takes the next. */
export async function finishJob(world: World<Server>, agent: string, jobId: string, result = "passed") {
  await sync(world, agent, "running-job", jobId);
  const answer = await sync(world, agent, "finished-job", jobId, result);
  if (answer.status !== 200) throw new Error(`sync answered ${answer.status}: ${answer.text}`);
  return answer;
}
