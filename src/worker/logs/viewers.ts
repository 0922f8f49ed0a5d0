/**
 * The room's sockets: sends each viewer what it may have from storage. All that is known of a viewer lies in its
 * socket's attachment, written in the stretch that changes it, so that the room may be evicted at any moment between.
 */
import { limits } from "../../protocol/limits.ts";
import { closeCodes, encodeFrame, type FrameHeader, socketPing, socketPong } from "../../protocol/log-frames.ts";
import { mayBeSent, onMessage, stalledAt } from "../lib/socket-credit.ts";
import { SocketDoor } from "../lib/socket-door.ts";
import { openSockets } from "../lib/sockets.ts";
import { type Clock, type EpochMs, plusSeconds } from "../lib/time.ts";
import { type Cursor, cursorAt, type FrameDraft, nextFrame } from "./cursor.ts";
import type { LogStore } from "./log-store.ts";
import { afterSend, creditFor, frameBytesMax, newViewer, readViewer, type Viewer } from "./viewer.ts";

interface BuiltFrame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As its header tells it. */
  readonly credit: number;
  readonly next: Cursor;
  readonly isEnd: boolean;
}

/** The frames of one stretch, each built once for all viewers at its place; null where a viewer has everything. */
interface Frames {
  next(viewer: Viewer): BuiltFrame | null;
}

/** So many built frames are held for the viewers that come next: what one viewer's credit lets out, and one more. */
const heldFrames = limits.viewerCreditBytes / limits.viewerFrameBytes + 1;

/** Room enough for a first frame alone; the pump of the first acknowledgement, or the one soon after, goes on. */
type Extent = "one_frame" | "all";

interface ViewersPorts {
  readonly clock: Clock;
  /** Of a final log. */
  readonly sha256: () => string | undefined;
  readonly onWatched: () => void;
}

export class Viewers {
  readonly #ctx: DurableObjectState;
  readonly #store: LogStore;
  readonly #clock: Clock;
  readonly #sha256: () => string | undefined;
  readonly #onWatched: () => void;
  readonly #door = new SocketDoor();
  /** What the attachments say, as long as the room is awake: to read one costs more than to send a frame. */
  readonly #known = new WeakMap<WebSocket, Viewer>();

  /** `onWatched` is told when a viewer comes, or is left owing an acknowledgement: the room then wakes to `sweep`. */
  constructor(ctx: DurableObjectState, store: LogStore, ports: ViewersPorts) {
    this.#ctx = ctx;
    this.#store = store;
    this.#clock = ports.clock;
    this.#sha256 = ports.sha256;
    this.#onWatched = ports.onWatched;
  }

  /** Takes a socket and sends the first frame. False: too many, and it is closed. */
  accept(socket: WebSocket, principalId: string, from: number): boolean {
    const own = openSockets(this.#ctx.getWebSockets(principalId)).length;
    const all = openSockets(this.#ctx.getWebSockets()).length;
    const refusal = this.#door.refusal(principalId, { own, all, most: limits.viewersPerRoom }, this.#clock());
    if (refusal !== null) {
      this.#ctx.acceptWebSocket(socket);
      socket.close(refusal.code, refusal.reason);
      return false;
    }
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(socketPing, socketPong));
    this.#ctx.acceptWebSocket(socket, [principalId]);
    const { head, lastSeq } = this.#store.state();
    const store = this.#store;
    const read = (seq: number) => store.record(seq);
    const cursor = cursorAt(Math.min(from, head), lastSeq, read, (seq) => store.reach(seq));
    this.#remember(socket, newViewer(cursor, this.#credit()));
    this.#onWatched();
    this.pump(socket, "one_frame");
    return true;
  }

  /** After each append: every viewer with room. Viewers at one place share the frame. */
  pumpAll(): void {
    const sockets = openSockets(this.#ctx.getWebSockets());
    const frames = this.#frames(() => creditFor(sockets.length));
    for (const socket of sockets) this.#pump(socket, this.#viewer(socket), "all", frames);
  }

  pump(socket: WebSocket, extent: Extent = "all"): void {
    this.#pump(socket, this.#viewer(socket), extent, this.#frames());
  }

  #pump(socket: WebSocket, before: Viewer | null, extent: Extent, frames: Frames): void {
    // Of a deployment that remembered otherwise. A client resumes where it stands.
    if (before === null) {
      socket.close(1012, "connect again");
      return;
    }
    let viewer = before;
    try {
      while (socket.readyState === WebSocket.OPEN && mayBeSent(viewer)) {
        const frame = frames.next(viewer);
        if (frame === null) break;
        viewer = this.#send(socket, viewer, frame);
        if (frame.isEnd) socket.close(closeCodes.done, "the log ended");
        if (extent === "one_frame") break;
      }
    } finally {
      // Once for all frames: no eviction comes between, for nothing waits. Whatever failed, what was sent counts.
      if (socket.readyState === WebSocket.OPEN && viewer !== this.#known.get(socket)) this.#remember(socket, viewer);
      if (viewer.owesSince !== null) this.#onWatched();
    }
  }

  message(socket: WebSocket, message: string | ArrayBuffer): void {
    const viewer = this.#viewer(socket);
    if (viewer === null || socket.readyState !== WebSocket.OPEN) return;
    const verdict = onMessage(viewer, message, this.#clock());
    if (verdict.kind === "close") socket.close(verdict.code, verdict.reason);
    else this.#pump(socket, verdict.state, "all", this.#frames());
  }

  /** Each principal that watches, once. */
  principals(): string[] {
    return [...new Set(openSockets(this.#ctx.getWebSockets()).flatMap((socket) => this.#ctx.getTags(socket)))];
  }

  expel(principalIds: readonly string[]): void {
    for (const principalId of principalIds) {
      for (const socket of openSockets(this.#ctx.getWebSockets(principalId))) {
        socket.close(closeCodes.gone, "this token may no longer see the job");
      }
    }
  }

  /** The log is deleted: there is nothing more to be sent. */
  dismiss(): void {
    for (const socket of openSockets(this.#ctx.getWebSockets())) closeAsDeleted(socket);
  }

  /** Closes a socket of who came behind the log's deletion, and writes nothing down. */
  turnAway(socket: WebSocket): void {
    this.#ctx.acceptWebSocket(socket);
    closeAsDeleted(socket);
  }

  /** Closes who owed an acknowledgement for too long; answers when to look again, or null where nobody watches. */
  sweep(now: EpochMs): EpochMs | null {
    for (const socket of openSockets(this.#ctx.getWebSockets())) {
      const at = this.#stalledAt(socket);
      if (at !== null && at <= now) socket.close(closeCodes.stalled, "nothing was acknowledged for too long");
    }
    return this.#nextLook(now);
  }

  #nextLook(now: EpochMs): EpochMs | null {
    const sockets = openSockets(this.#ctx.getWebSockets());
    if (sockets.length === 0) return null;
    const stalls = sockets.map((socket) => this.#stalledAt(socket)).filter((at) => at !== null);
    return Math.min(plusSeconds(now, limits.viewerCheckSeconds), ...stalls) as EpochMs;
  }

  #send(socket: WebSocket, viewer: Viewer, { bytes, credit, next }: BuiltFrame): Viewer {
    try {
      socket.send(bytes);
    } catch {
      // Gone in this moment. It may resume; the other viewers and the push must not suffer.
      socket.close(1011, "the connection failed");
    }
    return afterSend(viewer, bytes.length, next, credit, this.#clock());
  }

  #viewer(socket: WebSocket): Viewer | null {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const viewer = readViewer(socket.deserializeAttachment());
    if (viewer !== null) this.#known.set(socket, viewer);
    return viewer;
  }

  #stalledAt(socket: WebSocket): EpochMs | null {
    const viewer = this.#viewer(socket);
    return viewer === null ? null : stalledAt(viewer);
  }

  #remember(socket: WebSocket, viewer: Viewer): void {
    socket.serializeAttachment(viewer);
    this.#known.set(socket, viewer);
  }

  /** Who stands at the head of a log that goes on asks for none, and then nobody counts sockets. */
  #frames(creditNow = () => this.#credit()): Frames {
    const built = new Map<string, BuiltFrame | null>();
    let credit: number | null = null;
    return {
      next: (viewer) => {
        const { seq, offset, position, part } = viewer.cursor;
        const { lastSeq, result } = this.#store.state();
        if (seq > lastSeq && result === null) return null;
        const key = [seq, offset, position, part, frameBytesMax(viewer)].join(" ");
        const known = built.get(key);
        if (known !== undefined) return known;
        credit ??= creditNow();
        const frame = this.#build(viewer, credit);
        built.set(key, frame);
        for (const oldest of built.keys()) {
          if (built.size <= heldFrames) break;
          built.delete(oldest);
        }
        return frame;
      },
    };
  }

  #credit(): number {
    return creditFor(openSockets(this.#ctx.getWebSockets()).length);
  }

  #build(viewer: Viewer, credit: number): BuiltFrame | null {
    const draft = nextFrame((at) => this.#store.record(at), viewer.cursor, frameBytesMax(viewer));
    return draft === null ? this.#endFrame(viewer.cursor, credit) : toFrame(draft, credit);
  }

  #endFrame(cursor: Cursor, credit: number): BuiltFrame | null {
    const { result, head } = this.#store.state();
    if (result === null) return null;
    const bytes = encodeFrame({ kind: "end", position: head, result, sha256: this.#sha256(), credit });
    return { bytes, credit, next: cursor, isEnd: true };
  }
}

function closeAsDeleted(socket: WebSocket): void {
  socket.close(closeCodes.gone, "the log was deleted");
}

function toFrame({ header, payload, next }: FrameDraft, credit: number): BuiltFrame {
  return { bytes: encodeFrame({ ...header, credit } as FrameHeader, payload), credit, next, isEnd: false };
}
