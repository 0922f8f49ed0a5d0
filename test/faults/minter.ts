/** A running job that asks for identity tokens, one after the other, over HTTP. */
import { decodeJwt, decodeProtectedHeader } from "jose";
import { limits } from "../../src/protocol/limits.ts";
import { envOf, finishJob, takeJob, type World } from "../support/api.ts";
import type { ClockedWorker } from "./clocked-worker.ts";

export interface Live {
  readonly token: string;
  readonly kid: string;
  readonly mintedAt: number;
  readonly expiresAt: number;
}

interface RunningJob {
  readonly id: string;
  readonly path: string;
  readonly requestToken: string;
  readonly takenAt: number;
  mints: number;
}

/** Its tokens end with it: it is ended while they still get their full life. */
const jobSeconds = limits.jobTimeLimitSeconds / 2;

export class Minter {
  readonly #world: World<ClockedWorker>;
  readonly #agent: string;
  #job: RunningJob | null = null;

  constructor(world: World<ClockedWorker>, agent: string) {
    this.#world = world;
    this.#agent = agent;
  }

  /** Ends a job that has had nearly all of its tokens, or its time. Not while another takes a job, or one is deployed. */
  async refresh(): Promise<void> {
    const { now } = this.#world.harness;
    const job = this.#job;
    if (job !== null && job.mints < limits.jobMints / 2 && now - job.takenAt < jobSeconds) return;
    if (job !== null) await finishJob(this.#world, this.#agent, job.id);
    await this.#world.startJob({ time_limit_seconds: limits.jobTimeLimitSeconds });
    const { jobId, request } = await takeJob(this.#world, this.#agent);
    const { pathname, search } = new URL(envOf(request, "SEMAPHORE_OIDC_REQUEST_URL") ?? "");
    const requestToken = envOf(request, "SEMAPHORE_OIDC_REQUEST_TOKEN") ?? "";
    this.#job = { id: jobId, path: `${pathname}${search}`, requestToken, takenAt: now, mints: 0 };
  }

  async mint(lifetimeSeconds: number): Promise<Live> {
    if (this.#job === null) throw new Error("no job asks for a token");
    this.#job.mints++;
    const { path, requestToken } = this.#job;
    const answer = await this.#world.as(requestToken, "POST", path, { lifetime_seconds: lifetimeSeconds });
    if (answer.status !== 200) throw new Error(`a mint was answered ${answer.status}: ${answer.text}`);
    const token: string = answer.body.value;
    const { iat = 0, exp = 0 } = decodeJwt(token);
    return { token, kid: decodeProtectedHeader(token).kid ?? "", mintedAt: iat, expiresAt: exp };
  }
}
