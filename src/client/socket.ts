/**
 * The websocket that `follow` needs, as little of it as possible. Each runtime brings its own: Node one that
 * sends the Authorization header, browsers one that sends a ticket, tests a scripted one.
 */
import { socketProtocol, ticketProtocolPrefix } from "../protocol/accounts.ts";

export interface SocketEvents {
  opened(): void;
  /** A binary frame; text (the pong) as its own kind. */
  frame(bytes: Uint8Array): void;
  text(text: string): void;
  /** The server answered the upgrade with an HTTP status instead. */
  refused(status: number, body: string): void;
  /** Last of all; 1006 where no close frame came. */
  closed(code: number, reason: string): void;
}

export interface Socket {
  send(text: string): void;
  /** Ends it at once, without waiting for the server's half of the closing handshake. */
  close(): void;
}

export interface SocketRequest {
  url: string;
  /** The job whose log it is; null: the feed. */
  jobId: string | null;
}

export type SocketFactory = (request: SocketRequest, events: SocketEvents) => Promise<Socket> | Socket;

/** As much of the standard WebSocket class as is needed. */
interface StandardSocket {
  binaryType: string;
  send(text: string): void;
  close(code?: number): void;
  addEventListener(type: string, listener: (event: { data?: unknown; code?: number; reason?: string }) => void): void;
}
type StandardSocketClass = new (url: string, protocols: string[]) => StandardSocket;

/**
 * Sockets for runtimes that cannot send headers: each connection fetches a single-use ticket and offers it as a
 * second subprotocol, never in the URL, which proxies log.
 */
export function ticketSockets(
  socketClass: StandardSocketClass,
  ticketFor: (jobId: string | null) => Promise<string>,
): SocketFactory {
  return async (request, events) => {
    const ticket = await ticketFor(request.jobId);
    const socket = new socketClass(request.url, [socketProtocol, ticketProtocolPrefix + ticket]);
    socket.binaryType = "arraybuffer";
    let over = false;
    const closeOnce = (code: number, reason: string) => {
      if (over) return;
      over = true;
      events.closed(code, reason);
    };
    socket.addEventListener("open", () => events.opened());
    socket.addEventListener("message", ({ data }) => {
      if (over) return;
      if (data instanceof ArrayBuffer) events.frame(new Uint8Array(data));
      else if (typeof data === "string") events.text(data);
    });
    socket.addEventListener("close", ({ code, reason }) => closeOnce(code ?? 1006, reason ?? ""));
    return {
      send: (text) => socket.send(text),
      close: () => {
        socket.close(1000);
        closeOnce(1000, "");
      },
    };
  };
}
