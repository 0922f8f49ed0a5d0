/** Log sockets on Node: the API token travels in the Authorization header, and no compression is offered. */
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { SocketFactory } from "../client/socket.ts";
import { socketProtocol } from "../protocol/accounts.ts";

/** Problem documents are small; whatever stands behind this is not one. */
const refusalBytesMost = 64 * 1024;

export function nodeSockets(token: string): SocketFactory {
  return (request, events) => {
    const socket = new WebSocket(request.url, [socketProtocol], {
      headers: { authorization: `Bearer ${token}` },
      // Compression costs a log room three quarters of its throughput (DESIGN section 10).
      perMessageDeflate: false,
      handshakeTimeout: 20_000,
      followRedirects: false,
    });
    socket.binaryType = "nodebuffer";
    let over = false;
    const once = (tell: () => void) => {
      if (over) return;
      over = true;
      tell();
    };
    socket.on("open", () => events.opened());
    socket.on("message", (data, isBinary) => {
      // By binaryType it is one Buffer, never a list or an ArrayBuffer.
      if (over || !(data instanceof Uint8Array)) return;
      if (isBinary) events.frame(data);
      else events.text(new TextDecoder().decode(data));
    });
    socket.on("unexpected-response", (upgrade, answer) =>
      readRefusal(answer, (body) => {
        once(() => events.refused(answer.statusCode ?? 0, body));
        upgrade.destroy();
      }),
    );
    socket.on("error", (error) => once(() => events.closed(1006, error.message || "cannot connect")));
    socket.on("close", (code, reason) => once(() => events.closed(code, reason.toString("utf8"))));
    return {
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      // The development runtime answers a close only when the room hibernates (PLATFORM 1.4): do not wait for it.
      close: () => {
        once(() => undefined);
        if (socket.readyState === WebSocket.OPEN) socket.close(1000);
        socket.terminate();
      },
    };
  };
}

function readRefusal(answer: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  answer.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= refusalBytesMost) chunks.push(chunk);
    else answer.destroy();
  });
  answer.on("close", () => done(Buffer.concat(chunks).toString("utf8")));
}
