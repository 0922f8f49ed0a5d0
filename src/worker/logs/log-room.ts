/**
 * One Durable Object per job: its log, its viewers, its masks and its deadline. It decides nothing of the job
 * (ports.enforceDeadlines does) and trusts only the Worker: who may push or watch was settled at the edge.
 * Whatever changes the log runs in one stretch without an await, from state to rows to viewers.
 */
import { DurableObject } from "cloudflare:workers";
import type { JobResult } from "../../protocol/jobs.ts";
import { limits } from "../../protocol/limits.ts";
import { principalHeader, upgraded } from "../accounts/socket-wire.ts";
import type { Bytes } from "../lib/bytes.ts";
import { Fault } from "../lib/fault.ts";
import { report } from "../lib/report.ts";
import { answerClose } from "../lib/sockets.ts";
import { type EpochMs, plusSeconds } from "../lib/time.ts";
import { LogKeeping, type RoomSummary } from "./log-keeping.ts";
import { LogStore } from "./log-store.ts";
import { maskMark } from "./mask.ts";
import { isHiding } from "./mask-stream.ts";
import { Masking } from "./masking.ts";
import type { EventsPage } from "./page.ts";
import type { LogRoomPorts } from "./ports.ts";
import { readPosition } from "./positions.ts";
import { RoomPushes } from "./room-pushes.ts";
import { type FinalText, type FoundText, type MarkedPage, RoomReading, type TextPlace } from "./room-reading.ts";
import { Viewers } from "./viewers.ts";

export interface Arming {
  readonly jobId: string;
  readonly projectId: string;
  readonly claimNumber: number;
  /** `encodeMasks`, sealed with `masksContext`. */
  readonly sealedMasks: Bytes;
  readonly alarmAt: EpochMs;
}

export interface Finish {
  readonly result: JobResult;
  readonly notice: string | null;
}

export type ArmOutcome = "armed" | "stale_claim" | "too_often" | "closed";

/** When deadlines could not be asked for (the database is away), they are asked for again after this long. */
const deadlineRetrySeconds = 15;

/** A log that ends in mid-command has no event left for what masking held back, and a notice takes no position. */
const heldBackNotice = `The output ends in what may be the beginning of a secret: ${maskMark}`;

export abstract class LogRoomObject<Env> extends DurableObject<Env> {
  protected abstract readonly ports: LogRoomPorts;
  readonly #store: LogStore;
  readonly #masking: Masking;
  readonly #viewers: Viewers;
  readonly #keeping: LogKeeping;
  readonly #pushes: RoomPushes;
  readonly #reading: RoomReading;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new LogStore(ctx.storage);
    this.#masking = new Masking(this.#store);
    this.#keeping = new LogKeeping(this.#store, ctx.storage, () => this.ports);
    this.#reading = new RoomReading(this.#store, ctx.storage);
    this.#viewers = new Viewers(ctx, this.#store, {
      clock: () => this.ports.clock(),
      sha256: () => this.#keeping.life()?.sha256,
      onWatched: () => this.#watchViewers(),
    });
    this.#pushes = new RoomPushes(this.#store, this.#masking, {
      ports: () => this.ports,
      onAppended: () => this.#viewers.pumpAll(),
    });
  }

  /** Readies the room for a claim. Repeated it adds masks and takes none away; a lower claim number is refused. */
  async arm(arming: Arming): Promise<ArmOutcome> {
    const { armed, result } = this.#store.state();
    if (result !== null) return "closed";
    if (armed !== null && armed.claimNumber > arming.claimNumber) return "stale_claim";
    if (armed?.claimNumber === arming.claimNumber && this.#store.maskCounts().armed >= limits.jobFetches)
      return "too_often";
    const { jobId, projectId, claimNumber, sealedMasks } = arming;
    this.#store.atomically(() => {
      this.#store.arm({ jobId, projectId, claimNumber }, sealedMasks);
      this.#store.setDeadline(arming.alarmAt, this.ports.clock());
    });
    this.#masking.forget();
    this.#schedule();
    return "armed";
  }

  /** A secret that the job was handed while it runs: looked for from the next push on. */
  async mask({ claimNumber, sealedMasks }: Pick<Arming, "claimNumber" | "sealedMasks">): Promise<ArmOutcome> {
    const { armed, result } = this.#store.state();
    if (result !== null) return "closed";
    if (armed?.claimNumber !== claimNumber) return "stale_claim";
    // Masks come before the ledger, which counts: without a cap of its own a flood would outgrow the room's memory.
    if (this.#store.maskCounts().asked >= limits.jobMints) return "too_often";
    this.#store.atomically(() => this.#store.addMasks(claimNumber, sealedMasks));
    this.#masking.forget();
    return "armed";
  }

  /** The job's deadlines are looked at by then. Works before the room is armed; not once the log is final. */
  async setAlarm(at: EpochMs): Promise<void> {
    if (this.#store.state().result !== null) return;
    this.#store.setDeadline(at, this.ports.clock());
    this.#schedule();
  }

  /** Makes the log final. The first result stands. */
  async finish({ result, notice }: Finish): Promise<void> {
    const { result: former, head, carry } = this.#store.state();
    if (former !== null) return;
    this.#store.atomically(() => {
      if (carry !== null && isHiding(carry)) {
        this.#store.append([{ kind: "notice", position: head, text: heldBackNotice }]);
      }
      if (notice !== null) this.#store.append([{ kind: "notice", position: head, text: notice }]);
      this.#store.close(result);
      this.#keeping.begin();
    });
    this.#masking.forget();
    this.#viewers.pumpAll();
    this.#schedule();
  }

  /** Says something at this place of the log; false where it is final already. */
  async notice(text: string): Promise<boolean> {
    const { result, head } = this.#store.state();
    if (result !== null) return false;
    this.#store.append([{ kind: "notice", position: head, text }]);
    this.#viewers.pumpAll();
    return true;
  }

  async read(range: { from: number; maxBytes: number }): Promise<EventsPage> {
    return this.#reading.page(range);
  }

  /** A page from a place on that is known to lie before the one that is asked for. */
  async readNear(place: TextPlace, maxBytes: number): Promise<MarkedPage> {
    return this.#reading.pageNear(place, maxBytes);
  }

  async finalText(): Promise<FinalText | null> {
    return this.#reading.finalText();
  }

  /** For who reads next. The edge, which reads the text, is believed. */
  async keepText(found: FoundText): Promise<void> {
    this.#reading.keep(found);
  }

  /** How long the log is, and what it is once it is final. */
  async summary(): Promise<RoomSummary> {
    return this.#keeping.summary();
  }

  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (request.method === "POST" && url.pathname === "/push") return this.#pushes.take(request, url.searchParams);
    if (request.method === "GET" && url.pathname === "/view") return await this.#view(request, url.searchParams);
    return new Response(null, { status: 404 });
  }

  override async alarm(): Promise<void> {
    await this.#enforceDeadlines();
    if (await this.#keeping.deleteIfDue(this.#jobId() ?? "", () => this.#viewers.dismiss())) return;
    const { sweepAt } = this.#store.state();
    const now = this.ports.clock();
    if (sweepAt !== null && sweepAt <= now) {
      this.#viewers.expel(await this.#whoMayNot(this.#viewers.principals(), now));
      this.#store.setSweep(this.#viewers.sweep(now));
    }
    this.#schedule();
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#viewers.message(socket, message);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    answerClose(socket, code);
  }

  override webSocketError(socket: WebSocket): void {
    socket.close(1011, "the connection failed");
  }

  async #view(request: Request, query: URLSearchParams): Promise<Response> {
    const from = readPosition(query.get("from"));
    const principalId = request.headers.get(principalHeader);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return new Response(null, { status: 426 });
    if (from === null || principalId === null) return new Response(null, { status: 400 });
    const isGone = query.has("ended") && (await this.#isEmptied(principalId));
    const { 0: client, 1: server } = new WebSocketPair();
    // A large replay sent before the 101 would keep the viewer waiting: the rest goes out behind it.
    if (isGone) this.#viewers.turnAway(server);
    else if (this.#viewers.accept(server, principalId, from)) {
      this.ctx.waitUntil(scheduler.wait(0).then(() => this.#viewers.pump(server)));
    }
    return upgraded(client, request);
  }

  async #enforceDeadlines(): Promise<void> {
    const { deadlineAt, result } = this.#store.state();
    const jobId = this.#jobId();
    const now = this.ports.clock();
    if (result !== null || deadlineAt === null || deadlineAt > now || jobId === undefined) return;
    const verdict = await this.ports.enforceDeadlines(jobId, now).catch((cause: unknown) => {
      // A job that is gone has no deadlines, and its room nothing to wake for.
      if (cause instanceof Fault && cause.code === "not_found") return null;
      report("a job's deadlines could not be looked at", cause);
      return { kind: "wait", until: plusSeconds(now, deadlineRetrySeconds) } as const;
    });
    if (verdict === null) return this.#store.dropDeadline();
    if (verdict.kind === "finished") return this.finish(verdict);
    await this.setAlarm(Math.max(verdict.until, plusSeconds(now, 1)) as EpochMs);
  }

  /**
   * Of a job that has ended: a room that knows of no end was emptied, and a viewer would fill it again; or it is told in
   * this moment. The database tells the two apart.
   */
  async #isEmptied(principalId: string): Promise<boolean> {
    if (this.#store.state().result !== null) return false;
    return (await this.#whoMayNot([principalId], this.ports.clock())).length > 0;
  }

  /** None where it cannot be asked: a database that is away must not cut everybody off. */
  async #whoMayNot(principalIds: readonly string[], now: EpochMs): Promise<string[]> {
    const jobId = this.#jobId();
    if (jobId === undefined || principalIds.length === 0) return [];
    try {
      const allowed = await this.ports.whoMayWatch(jobId, principalIds, now);
      return principalIds.filter((principalId) => !allowed.has(principalId));
    } catch (cause) {
      report("whether a log's viewers may still watch it could not be looked up", cause);
      return [];
    }
  }

  #watchViewers(): void {
    if (this.#store.state().sweepAt !== null) return;
    this.#store.setSweep(
      plusSeconds(this.ports.clock(), Math.min(limits.viewerStallSeconds, limits.viewerCheckSeconds)),
    );
    this.#schedule();
  }

  #jobId(): string | undefined {
    return this.#store.state().armed?.jobId ?? this.ctx.id.name;
  }

  /** The one alarm slot rings at the earliest of the three. Not awaited: it is durable with the rest of the stretch. */
  #schedule(): void {
    const { deadlineAt, sweepAt } = this.#store.state();
    const lookAt = this.#keeping.life()?.lookAt ?? null;
    const times = [deadlineAt, sweepAt, lookAt].filter((at) => at !== null);
    if (times.length === 0) void this.ctx.storage.deleteAlarm();
    else void this.ctx.storage.setAlarm(Math.min(...times));
  }
}
