/** Requests that fetch does not send: any Host, no Content-Length, an upgrade. */
import { type IncomingMessage, request } from "node:http";
import { gunzipSync } from "node:zlib";
import type { Answer } from "./api.ts";
import type { Harness } from "./harness.ts";

/** One HTTP request byte for byte as given. */
export function rawRequest(
  harness: Harness,
  options: { method?: string; path: string; headers?: Record<string, string>; body?: Buffer | string },
): Promise<Answer> {
  const { method = "GET", path, headers = {}, body } = options;
  const { hostname, port } = harness.url;
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false });
    let answered = false;
    const take = (response: IncomingMessage, bytes: Buffer) => {
      const text = (response.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString();
      const isJson = (response.headers["content-type"] ?? "").includes("json");
      resolve({
        status: response.statusCode ?? 0,
        headers: new Headers(response.headers as Record<string, string>),
        text,
        body: isJson && text !== "" ? JSON.parse(text) : {},
      });
    };
    sent.on("response", (response) => {
      answered = true;
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => take(response, Buffer.concat(parts)));
    });
    sent.on("upgrade", (response, socket) => {
      socket.destroy();
      take(response, Buffer.alloc(0));
    });
    // A server that refuses early closes while the body is still on its way; its answer counts.
    sent.on("error", (error) => answered || reject(error));
    sent.end(body);
  });
}

/** The handshake of a viewer's socket, to see its status. */
export function upgrade(harness: Harness, token: string | null, jobId: string, headers: Record<string, string> = {}) {
  return rawRequest(harness, {
    path: `/api/ws?job_id=${jobId}`,
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": Buffer.from("0123456789abcdef").toString("base64"),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
}
