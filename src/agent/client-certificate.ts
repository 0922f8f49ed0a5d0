/** HTTPS with a client certificate, which the global `fetch` has no way to present. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { AgentRefused } from "./errors.ts";
import type { Fetch } from "./http.ts";

export interface ClientCertificate {
  /** PEM; a chain is presented whole. */
  readonly certificate: string;
  /** PEM, not encrypted. */
  readonly key: string;
}

/** For `https:` alone; redirects are not followed. @throws AgentRefused where key and certificate are no pair */
export function fetchPresenting({ certificate, key }: ClientCertificate): Fetch {
  if (!isPair(certificate, key)) {
    throw new AgentRefused("the client certificate and its key are not a pair that can be read as PEM");
  }
  const agent = new Agent({ cert: certificate, key, keepAlive: true });
  return (url, { method, headers, body = "", signal }) =>
    new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, agent, signal }, (answer) => {
        resolve({ status: answer.statusCode ?? 0, text: () => text(answer) });
      });
      sent.on("error", reject);
      sent.end(body);
    });
}

/** Asked here: OpenSSL takes a key of another algorithm than the certificate's, and then presents nothing. */
function isPair(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
