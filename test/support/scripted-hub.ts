/**
 * A hub that speaks the self-hosted agent's protocol on a real socket and does what a test tells it to. Records every
 * exchange. Keeps no promise of Signalbox's own server: it is what the agent must get along with, no more.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LogEvent } from "../../src/protocol/log-events.ts";

export interface Exchange {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly authorization: string;
  readonly userAgent: string;
  readonly body: string;
  readonly status: number;
}

export interface Push {
  readonly startFrom: number;
  readonly token: string;
  readonly lines: string[];
  /** How many pushes came before this one. */
  readonly index: number;
}

export interface ScriptedJob {
  commands?: (string | { directive: string; alias?: string })[];
  env?: Record<string, string>;
  files?: { path: string; content: string; mode: string }[];
  always?: string[];
  onPass?: string[];
  onFail?: string[];
  /** Replaces fields of the request as it goes over the wire. */
  raw?: Record<string, unknown>;
}

type Json = Record<string, unknown>;

const base = "/api/v1/self_hosted_agents";

export class ScriptedHub {
  readonly exchanges: Exchange[] = [];
  readonly pushes: Push[] = [];
  /** The status that answers a push. */
  answerPush: (push: Push) => number = () => 200;
  /** The status that answers a registration. */
  registerStatus = 201;
  /** Answers the next syncs with these statuses, before any other answer. */
  readonly syncFailures: number[] = [];
  readonly #server: Server;
  readonly #queue: { id: string; request: Json }[] = [];
  readonly #requests = new Map<string, Json>();
  readonly #lines = new Map<string, string[]>();
  readonly #results = new Map<string, string>();
  readonly #stops = new Set<string>();
  #shutdown: string | null = null;
  #logToken = 1;
  #jobs = 0;
  #watchers: (() => void)[] = [];

  static async start(): Promise<ScriptedHub> {
    const hub = new ScriptedHub();
    await new Promise<void>((resolve) => hub.#server.listen(0, "127.0.0.1", resolve));
    return hub;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      void read(request).then((body) => {
        const { status, answer } = this.#answer(request, body);
        const { method = "", url = "", headers } = request;
        const { authorization = "", "user-agent": userAgent = "" } = headers;
        this.exchanges.push({ method, path: url, authorization, userAgent, body, status });
        response.writeHead(status, { "Content-Type": "application/json" });
        response.end(answer === null ? "" : JSON.stringify(answer));
        for (const watcher of [...this.#watchers]) watcher();
      });
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Queues a job. @returns its id. */
  add(job: ScriptedJob): string {
    const id = `job-${++this.#jobs}`;
    this.#queue.push({ id, request: { ...this.#wire(id, job), ...job.raw } });
    return id;
  }

  stop(jobId: string): void {
    this.#stops.add(jobId);
  }

  /** Told to the agent as soon as it has nothing to do. */
  shutdown(reason: string): void {
    this.#shutdown = reason;
  }

  /** Resolves once `holds`, looked at after every exchange. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watcher = () => {
        if (!holds()) return;
        this.#watchers = this.#watchers.filter((other) => other !== watcher);
        resolve();
      };
      this.#watchers.push(watcher);
      watcher();
    });
  }

  /** The result that the agent reported. */
  async result(jobId: string): Promise<string> {
    await this.until(() => this.#results.has(jobId));
    return this.#results.get(jobId) ?? "";
  }

  lines(jobId: string): string[] {
    return this.#lines.get(jobId) ?? [];
  }

  events(jobId: string): LogEvent[] {
    return this.lines(jobId).map((line) => LogEvent.parse(JSON.parse(line)));
  }

  /** All output, joined. */
  output(jobId: string): string {
    return this.events(jobId)
      .map((event) => (event.event === "cmd_output" ? event.output : ""))
      .join("");
  }

  #wire(id: string, job: ScriptedJob): Json {
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const named = (commands: ScriptedJob["commands"] = []) =>
      commands.map((command) => (typeof command === "string" ? { directive: command } : command));
    return {
      job_id: id,
      job_name: "a job",
      executor: "shell",
      env_vars: Object.entries(job.env ?? {}).map(([name, value]) => ({ name, value: base64(value) })),
      files: (job.files ?? []).map((file) => ({ ...file, content: base64(file.content) })),
      commands: named(job.commands),
      epilogue_always_commands: named(job.always),
      epilogue_on_pass_commands: named(job.onPass),
      epilogue_on_fail_commands: named(job.onFail),
      ssh_public_keys: [],
      logger: { method: "push", url: `${this.endpoint}/api/v1/logs/${id}`, token: `LOG${this.#logToken}` },
    };
  }

  #answer(request: IncomingMessage, body: string): { status: number; answer: Json | null } {
    const url = new URL(request.url ?? "/", this.endpoint);
    if (url.pathname.startsWith("/api/v1/logs/")) return { status: this.#push(request, url, body), answer: null };
    if (url.pathname === `${base}/register`) {
      return { status: this.registerStatus, answer: { name: JSON.parse(body).name, token: "ACCESS" } };
    }
    if (request.headers.authorization !== "Token ACCESS") return { status: 404, answer: null };
    if (url.pathname === `${base}/sync`) return this.#sync(JSON.parse(body));
    if (url.pathname === `${base}/refresh`) return { status: 200, answer: { token: `LOG${++this.#logToken}` } };
    if (url.pathname === `${base}/disconnect`) return { status: 200, answer: {} };
    const job = this.#requests.get(url.pathname.slice(`${base}/jobs/`.length));
    return job ? { status: 200, answer: job } : { status: 404, answer: null };
  }

  #sync(said: Json): { status: number; answer: Json | null } {
    const failure = this.syncFailures.shift();
    if (failure !== undefined) return { status: failure, answer: null };
    const jobId = String(said.job_id);
    const tell = (action: string, rest: Json = {}) => ({
      status: 200,
      answer: { action, job_id: "", shutdown_reason: "", next_sync_after: 50, ...rest },
    });
    if (said.state === "finished-job") {
      this.#results.set(jobId, String(said.job_result));
      return tell("wait-for-jobs");
    }
    if (said.state !== "waiting-for-jobs") {
      const stop = this.#stops.has(jobId) || (said.state === "running-job" && said.interrupted_at !== 0);
      return stop ? tell("stop-job", { job_id: jobId }) : tell("continue");
    }
    if (said.interrupted_at !== 0) return tell("shutdown", { shutdown_reason: "interrupted" });
    const job = this.#queue.shift();
    if (job === undefined)
      return this.#shutdown ? tell("shutdown", { shutdown_reason: this.#shutdown }) : tell("continue");
    this.#requests.set(job.id, job.request);
    return tell("run-job", { job_id: job.id });
  }

  #push(request: IncomingMessage, url: URL, body: string): number {
    const jobId = url.pathname.slice("/api/v1/logs/".length);
    const startFrom = Number(url.searchParams.get("start_from"));
    const token = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    const push: Push = { startFrom, token, lines: body.split("\n").slice(0, -1), index: this.pushes.length };
    this.pushes.push(push);
    const status = this.answerPush(push);
    if (status !== 200) return status;
    const lines = this.#lines.get(jobId) ?? [];
    // What is stored wins, as on our own server.
    lines.push(...push.lines.slice(lines.length - startFrom));
    this.#lines.set(jobId, lines);
    return 200;
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
