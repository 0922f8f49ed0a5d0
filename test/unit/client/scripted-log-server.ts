/** A real websocket server whose every connection is played by a script. Frames are made by the protocol's own code. */

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { encodeFrame, type FrameHeader } from "../../../src/protocol/log-frames.ts";

export interface Peer {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  readonly from: number;
  /** Texts that the client sent so far. */
  readonly received: string[];
  /** Sends a frame; answers its size. */
  send(header: FrameHeader, payload?: Uint8Array): number;
  /** Resolves with the next text from the client that `matches`. */
  receive(matches: (text: string) => boolean): Promise<string>;
}

export type Script = (peer: Peer) => void | Promise<void>;

export interface LogServer {
  readonly baseUrl: string;
  readonly connections: Peer[];
  close(): Promise<void>;
}

/** Plays `scripts` in turn, the last one for every later connection. A number refuses the upgrade with that status. */
export async function startLogServer(...scripts: (Script | number)[]): Promise<LogServer> {
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  const connections: Peer[] = [];
  let turn = 0;
  http.on("upgrade", (request, stream, head) => {
    const script = scripts[Math.min(turn++, scripts.length - 1)];
    if (typeof script === "number") {
      const body = JSON.stringify({
        type: "about:blank",
        title: "no",
        status: script,
        detail: `refused with ${script}`,
        code: script === 404 ? "not_found" : "forbidden",
        request_id: "r",
      });
      stream.end(`HTTP/1.1 ${script} No\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const peer = peerOf(socket, request);
      connections.push(peer);
      void script?.(peer);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    connections,
    async close() {
      for (const client of sockets.clients) client.terminate();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function peerOf(socket: WebSocket, request: IncomingMessage): Peer {
  const received: string[] = [];
  let waiters: (() => void)[] = [];
  socket.on("message", (data) => {
    received.push(data.toString());
    for (const waiter of waiters.splice(0)) waiter();
  });
  return {
    socket,
    request,
    received,
    from: Number(new URL(request.url ?? "/", "http://x").searchParams.get("from")),
    send(header, payload) {
      const frame = encodeFrame(header, payload);
      socket.send(frame);
      return frame.length;
    },
    async receive(matches) {
      for (let at = 0; ; ) {
        for (; at < received.length; at++) {
          const text = received[at] ?? "";
          if (matches(text)) return text;
        }
        await new Promise<void>((resolve) => {
          waiters = [...waiters, resolve];
        });
      }
    },
  };
}

const encoder = new TextEncoder();
export const credit = 1024 * 1024;

export function output(text: string): string {
  return JSON.stringify({ event: "cmd_output", timestamp: 1, output: text });
}

export function ndjson(...lines: string[]): Uint8Array {
  return encoder.encode(lines.map((line) => `${line}\n`).join(""));
}

/** A frame of one output event for each text. */
export function outputs(peer: Peer, position: number, ...texts: string[]): number {
  return peer.send({ kind: "events", position, count: texts.length, credit }, ndjson(...texts.map(output)));
}

export function end(peer: Peer, position: number): number {
  return peer.send({ kind: "end", position, result: "passed", credit });
}
