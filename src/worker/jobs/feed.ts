/**
 * The feed's Durable Object, one for all: it holds sockets and wakes them. The changes themselves are rows of D1
 * (job-changes-store.ts), read anew for each reader by what they may see at that moment.
 */
import { DurableObject } from "cloudflare:workers";
import type { JobChangesPage } from "../../protocol/job-changes.ts";
import { limits } from "../../protocol/limits.ts";
import { closeCodes, socketPing, socketPong } from "../../protocol/log-frames.ts";
import type { Person } from "../../protocol/principal.ts";
import { principalHeader, upgraded } from "../accounts/socket-wire.ts";
import { report } from "../lib/report.ts";
import { mayBeSent, onMessage, stalledAt } from "../lib/socket-credit.ts";
import { SocketDoor } from "../lib/socket-door.ts";
import { answerClose, openSockets } from "../lib/sockets.ts";
import { type Clock, type EpochMs, plusSeconds } from "../lib/time.ts";
import { afterPage, feedPageItems, newReader, type Reader, readReader } from "./feed-reader.ts";

export interface FeedPorts {
  readonly clock: Clock;
  /** Those of these principals who may still read, by id. */
  readers(principalIds: readonly string[], now: EpochMs): Promise<ReadonlyMap<string, Person>>;
  /** At most `feedPageItems` of what this person may read. */
  changes(person: Person, after: number): Promise<JobChangesPage>;
  /** From now on and for so long every change wakes the feed. */
  watched(seconds: number): Promise<void>;
}

/** Changes wake the feed for so long after somebody read it last. It is said again well before, by the alarm at the latest. */
const watchSeconds = 5 * limits.viewerCheckSeconds;

export abstract class FeedObject<Env> extends DurableObject<Env> {
  protected abstract readonly ports: FeedPorts;
  /** Only one round reads at a time, so that no reader is sent a page twice; what comes meanwhile asks for another. */
  #isPumping = false;
  #isWanted = false;
  /** Changes made until then wake it. What an eviction makes it forget is said again. */
  #watchedUntil = 0;
  readonly #door = new SocketDoor();

  /** A job's state has changed; nobody says so while nobody reads. */
  async wake(): Promise<void> {
    await this.#pump();
  }

  override async fetch(request: Request): Promise<Response> {
    const after = Number(new URL(request.url).searchParams.get("after"));
    const principalId = request.headers.get(principalHeader);
    if (principalId === null || !Number.isSafeInteger(after)) return new Response(null, { status: 400 });
    const { 0: client, 1: server } = new WebSocketPair();
    if (this.#accept(server, principalId, after)) this.ctx.waitUntil(this.#pump());
    return upgraded(client, request);
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const reader = readReader(socket.deserializeAttachment());
    if (reader === null || socket.readyState !== WebSocket.OPEN) return;
    const verdict = onMessage(reader, message, this.ports.clock());
    if (verdict.kind === "close") return socket.close(verdict.code, verdict.reason);
    socket.serializeAttachment(verdict.state);
    // What it let wait is read now; who was not held up has everything.
    if (!mayBeSent(reader)) await this.#pump();
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    answerClose(socket, code);
  }

  override webSocketError(socket: WebSocket): void {
    socket.close(1011, "the connection failed");
  }

  /** Once a minute while anybody reads: who stalls or may read no more is closed, and a lost wake is made good. */
  override async alarm(): Promise<void> {
    const now = this.ports.clock();
    for (const { socket, reader } of this.#readers()) {
      const at = stalledAt(reader);
      if (at !== null && at <= now) socket.close(closeCodes.stalled, "nothing was acknowledged for too long");
    }
    await this.#pump();
    const readers = this.#readers();
    const stalls = readers.map(({ reader }) => stalledAt(reader)).filter((at) => at !== null);
    if (readers.length > 0) await this.ctx.storage.setAlarm(Math.min(minuteAfter(now), ...stalls));
  }

  #accept(socket: WebSocket, principalId: string, after: number): boolean {
    const own = openSockets(this.ctx.getWebSockets(principalId)).length;
    const all = openSockets(this.ctx.getWebSockets()).length;
    const refusal = this.#door.refusal(principalId, { own, all, most: limits.feedSockets }, this.ports.clock());
    if (refusal !== null) {
      this.ctx.acceptWebSocket(socket);
      socket.close(refusal.code, refusal.reason);
      return false;
    }
    this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(socketPing, socketPong));
    this.ctx.acceptWebSocket(socket, [principalId]);
    socket.serializeAttachment(newReader(principalId, after));
    void this.#watch();
    return true;
  }

  async #watch(): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) !== null) return;
    await this.ctx.storage.setAlarm(minuteAfter(this.ports.clock()));
  }

  #readers(): { socket: WebSocket; reader: Reader }[] {
    return openSockets(this.ctx.getWebSockets()).flatMap((socket) => {
      const reader = readReader(socket.deserializeAttachment());
      return reader === null ? [] : [{ socket, reader }];
    });
  }

  async #pump(): Promise<void> {
    this.#isWanted = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        await this.#round();
      }
    } catch (cause) {
      // The alarm tries again, and so does the next change: nothing is lost, for every reader has its position.
      report("the feed could not be read", cause);
    } finally {
      this.#isPumping = false;
    }
  }

  /** One trip for who may read, and one for each place at which somebody stands: at the head that is one for all. */
  async #round(): Promise<void> {
    const now = this.ports.clock();
    const all = this.#readers();
    if (all.length === 0) return;
    await this.#askToBeWoken(now);
    const people = await this.ports.readers([...new Set(all.map(({ reader }) => reader.principalId))], now);
    const pages = new Map<string, Promise<JobChangesPage>>();
    const sent = await Promise.allSettled(
      all.map(async ({ socket, reader }) => {
        const person = people.get(reader.principalId);
        if (person === undefined) return socket.close(closeCodes.gone, "this token may read no more");
        if (!mayBeSent(reader)) return;
        const place = `${person.projectId} ${reader.after}`;
        const page = pages.get(place) ?? this.ports.changes(person, reader.after);
        pages.set(place, page);
        this.#send(socket, await page);
      }),
    );
    // Only once all are done: the next round must not overtake this one.
    const failure = sent.find((each) => each.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  /** Before anything is read: a change that wakes nobody must lie before that reading. */
  async #askToBeWoken(now: EpochMs): Promise<void> {
    if (this.#watchedUntil > plusSeconds(now, watchSeconds / 2)) return;
    await this.ports.watched(watchSeconds);
    this.#watchedUntil = plusSeconds(now, watchSeconds);
  }

  /** Acknowledgements may have come since the round began: the reader is looked at again. */
  #send(socket: WebSocket, page: JobChangesPage): void {
    const reader = readReader(socket.deserializeAttachment());
    if (reader === null || socket.readyState !== WebSocket.OPEN) return;
    // From the beginning nothing was read before, so nothing is missed.
    const isNews = page.items.length > 0 || (!page.complete && reader.after > 0);
    if (!isNews) return;
    const { frame, next } = afterPage(reader, page, this.ports.clock());
    socket.send(frame);
    socket.serializeAttachment(next);
    if (page.items.length >= feedPageItems) this.#isWanted = true;
  }
}

function minuteAfter(now: EpochMs): EpochMs {
  return plusSeconds(now, limits.viewerCheckSeconds);
}
