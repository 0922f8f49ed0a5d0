/** One HTTP exchange as it is on the wire: no redirect followed, the TLS version told, nothing retried. */
import { request as requestPlain } from "node:http";
import { request as requestEncrypted } from "node:https";
import { TLSSocket } from "node:tls";

const timeoutMilliseconds = 10_000;
const bodyBytesMost = 64 * 1024;

export interface Trust {
  /** A certificate authority beside those of the system, PEM. */
  readonly ca?: string | undefined;
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
}

export function exchange(url: URL, { ca }: Trust, ask: Ask = {}): Promise<Answer> {
  const payload = ask.body === undefined ? "" : JSON.stringify(ask.body);
  const headers = {
    ...(ask.token === undefined ? {} : { authorization: `Bearer ${ask.token}` }),
    ...(payload === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
  };
  const signal = AbortSignal.timeout(timeoutMilliseconds);
  // agent false: a connection of its own, so that the TLS version is this exchange's.
  const options = { method: ask.method ?? "GET", headers, signal, agent: false as const };
  return new Promise((resolve, reject) => {
    const sent =
      url.protocol === "https:"
        ? requestEncrypted(url.href, { ...options, ...(ca === undefined ? {} : { ca }) })
        : requestPlain(url.href, options);
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
