/**
 * The room's sockets: sends each viewer what it may have from storage. All that is known of a viewer lies in its
 * socket's attachment, written at every send, so that the room may be evicted at any moment between.
 */
import { limits } from "../../protocol/limits.ts";
import { closeCodes, encodeFrame, type FrameHeader, socketPing, socketPong } from "../../protocol/log-frames.ts";
import { type Clock, type EpochMs, plusSeconds } from "../lib/time.ts";
import { type Cursor, cursorAt, type FrameDraft, nextFrame } from "./cursor.ts";
import type { LogStore } from "./log-store.ts";
import {
  afterSend,
  creditFor,
  frameBytesMax,
  mayBeSent,
  newViewer,
  onMessage,
  readViewer,
  stalledAt,
  type Viewer,
} from "./viewer.ts";

interface BuiltFrame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly next: Cursor;
  readonly isEnd: boolean;
}

/** Room enough for a first frame alone; the pump of the first acknowledgement, or the one soon after, goes on. */
type Extent = "one_frame" | "all";

export class Viewers {
  readonly #ctx: DurableObjectState;
  readonly #store: LogStore;
  readonly #clock: Clock;
  readonly #onWatched: () => void;

  /** `onWatched` is told when a viewer comes, or is left owing an acknowledgement: the room then wakes to `sweep`. */
  constructor(ctx: DurableObjectState, store: LogStore, ports: { clock: Clock; onWatched: () => void }) {
    this.#ctx = ctx;
    this.#store = store;
    this.#clock = ports.clock;
    this.#onWatched = ports.onWatched;
  }

  /** Takes a socket and sends the first frame. False: too many, and it is closed. */
  accept(socket: WebSocket, principalId: string, from: number): boolean {
    if (open(this.#ctx.getWebSockets(principalId)).length >= limits.viewersPerPrincipal) {
      this.#ctx.acceptWebSocket(socket);
      socket.close(closeCodes.tooManyViewers, "too many viewers of this log are open");
      return false;
    }
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(socketPing, socketPong));
    this.#ctx.acceptWebSocket(socket, [principalId]);
    const { head, lastSeq } = this.#store.state();
    const store = this.#store;
    const read = (seq: number) => store.record(seq);
    const cursor = cursorAt(Math.min(from, head), lastSeq, read, (seq) => store.reach(seq));
    socket.serializeAttachment(newViewer(cursor, this.#credit()));
    this.#onWatched();
    this.pump(socket, "one_frame");
    return true;
  }

  /** After each append: every viewer with room. Viewers at one place share the frame. */
  pumpAll(): void {
    const built = new Map<string, BuiltFrame | null>();
    const sockets = open(this.#ctx.getWebSockets());
    const credit = creditFor(sockets.length);
    for (const socket of sockets) this.#pump(socket, "all", credit, built);
  }

  pump(socket: WebSocket, extent: Extent = "all"): void {
    this.#pump(socket, extent, this.#credit(), new Map());
  }

  #pump(socket: WebSocket, extent: Extent, credit: number, built: Map<string, BuiltFrame | null>): void {
    let viewer = readViewer(socket.deserializeAttachment());
    // Of a deployment that remembered otherwise. A client resumes where it stands.
    if (viewer === null) socket.close(1012, "connect again");
    while (viewer !== null && socket.readyState === WebSocket.OPEN && mayBeSent(viewer)) {
      const frame = this.#build(viewer, credit, built);
      if (frame === null) return;
      viewer = this.#send(socket, viewer, frame, credit);
      if (frame.isEnd) socket.close(closeCodes.done, "the log ended");
      if (extent === "one_frame") return;
    }
  }

  message(socket: WebSocket, message: string | ArrayBuffer): void {
    const viewer = readViewer(socket.deserializeAttachment());
    if (viewer === null || socket.readyState !== WebSocket.OPEN) return;
    const verdict = onMessage(viewer, message, this.#clock());
    if (verdict.kind === "close") {
      socket.close(verdict.code, verdict.reason);
      return;
    }
    socket.serializeAttachment(verdict.viewer);
    this.pump(socket);
  }

  /** Each principal that watches, once. */
  principals(): string[] {
    return [...new Set(open(this.#ctx.getWebSockets()).flatMap((socket) => this.#ctx.getTags(socket)))];
  }

  expel(principalIds: readonly string[]): void {
    for (const principalId of principalIds) {
      for (const socket of open(this.#ctx.getWebSockets(principalId))) {
        socket.close(closeCodes.gone, "this token may no longer see the job");
      }
    }
  }

  /** Closes who owed an acknowledgement for too long; answers when to look again, or null where nobody watches. */
  sweep(now: EpochMs): EpochMs | null {
    for (const socket of open(this.#ctx.getWebSockets())) {
      const at = stalledAtOf(socket);
      if (at !== null && at <= now) socket.close(closeCodes.stalled, "nothing was acknowledged for too long");
    }
    return this.#nextLook(now);
  }

  #nextLook(now: EpochMs): EpochMs | null {
    const sockets = open(this.#ctx.getWebSockets());
    if (sockets.length === 0) return null;
    const stalls = sockets.map(stalledAtOf).filter((at) => at !== null);
    return Math.min(plusSeconds(now, limits.viewerCheckSeconds), ...stalls) as EpochMs;
  }

  #send(socket: WebSocket, viewer: Viewer, frame: BuiltFrame, credit: number): Viewer {
    const sent = afterSend(viewer, frame.bytes.length, frame.next, credit, this.#clock());
    try {
      // The attachment first: a frame that it does not know of would be sent twice.
      socket.serializeAttachment(sent);
      socket.send(frame.bytes);
    } catch {
      // Gone in this moment. It may resume; the other viewers and the push must not suffer.
      socket.close(1011, "the connection failed");
    }
    if (sent.owesSince !== null) this.#onWatched();
    return sent;
  }

  #credit(): number {
    return creditFor(open(this.#ctx.getWebSockets()).length);
  }

  #build(viewer: Viewer, credit: number, built: Map<string, BuiltFrame | null>): BuiltFrame | null {
    const { seq, offset, position, part } = viewer.cursor;
    const key = [seq, offset, position, part, frameBytesMax(viewer), credit].join(" ");
    const known = built.get(key);
    if (known !== undefined) return known;
    const draft = nextFrame((at) => this.#store.record(at), viewer.cursor, frameBytesMax(viewer));
    const frame = draft === null ? this.#endFrame(viewer.cursor, credit) : toFrame(draft, credit);
    // One at a time: frames are large, and viewers mostly stand at one place.
    built.clear();
    built.set(key, frame);
    return frame;
  }

  #endFrame(cursor: Cursor, credit: number): BuiltFrame | null {
    const { result, head } = this.#store.state();
    if (result === null) return null;
    return { bytes: encodeFrame({ kind: "end", position: head, result, credit }), next: cursor, isEnd: true };
  }
}

function toFrame({ header, payload, next }: FrameDraft, credit: number): BuiltFrame {
  return { bytes: encodeFrame({ ...header, credit } as FrameHeader, payload), next, isEnd: false };
}

function open(sockets: WebSocket[]): WebSocket[] {
  return sockets.filter((socket) => socket.readyState === WebSocket.OPEN);
}

function stalledAtOf(socket: WebSocket): EpochMs | null {
  const viewer = readViewer(socket.deserializeAttachment());
  return viewer === null ? null : stalledAt(viewer);
}
