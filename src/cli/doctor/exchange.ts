/** One HTTP exchange as it is on the wire: no redirect followed, the TLS version told, nothing retried. */
import { request as requestPlain } from "node:http";
import { request as requestEncrypted } from "node:https";
import { isIP } from "node:net";
import { TLSSocket } from "node:tls";

const timeoutMilliseconds = 10_000;
const bodyBytesMost = 64 * 1024;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** How a deployment is reached, and whose certificates are believed. */
export interface Trust {
  /** A certificate authority beside those of the system, PEM. */
  readonly ca?: string | undefined;
  /** Instead of the URL's own host and port: where the name does not lead yet. Host and certificate stay the URL's. */
  readonly connectTo?: Endpoint | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Null over plain HTTP. */
  readonly tlsVersion: string | null;
}

export interface Ask {
  readonly method?: "GET" | "POST";
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The machine and port that a connection for `url` goes to. Plain HTTP keeps its port: it is looked for by that. */
export function endpointOf(url: URL, { connectTo }: Trust): Endpoint {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (url.protocol === "http:" || url.protocol === "ws:") {
    return { host: connectTo?.host ?? host, port: Number(url.port || 80) };
  }
  return connectTo ?? { host, port: Number(url.port || 443) };
}

/** The name that the certificate must be for; an address is none (RFC 6066 section 3). */
export function serverNameOf({ hostname }: URL): { servername?: string } {
  return isIP(hostname.replace(/^\[|\]$/g, "")) === 0 ? { servername: hostname } : {};
}

export function exchange(url: URL, trust: Trust, ask: Ask = {}): Promise<Answer> {
  const payload = ask.body === undefined ? "" : JSON.stringify(ask.body);
  const headers = {
    host: url.host,
    ...(ask.token === undefined ? {} : { authorization: `Bearer ${ask.token}` }),
    ...(payload === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
    ...ask.headers,
  };
  const signal = AbortSignal.timeout(timeoutMilliseconds);
  // agent false: a connection of its own, so that the TLS version is this exchange's.
  const options = {
    ...endpointOf(url, trust),
    path: `${url.pathname}${url.search}`,
    method: ask.method ?? "GET",
    headers,
    signal,
    agent: false as const,
  };
  const { ca } = trust;
  return new Promise((resolve, reject) => {
    const sent =
      url.protocol === "https:"
        ? requestEncrypted({ ...options, ...serverNameOf(url), ...(ca === undefined ? {} : { ca }) })
        : requestPlain(options);
    sent.on("error", reject);
    sent.on("response", (message) => {
      const { socket } = message;
      const tlsVersion = socket instanceof TLSSocket ? socket.getProtocol() : null;
      let body = "";
      message.setEncoding("utf8");
      message.on("data", (chunk: string) => {
        if (body.length < bodyBytesMost) body += chunk;
        else message.destroy(new Error("the answer is too long"));
      });
      message.on("error", reject);
      message.on("end", () => resolve({ status: message.statusCode ?? 0, headers: message.headers, body, tlsVersion }));
    });
    sent.end(payload);
  });
}
