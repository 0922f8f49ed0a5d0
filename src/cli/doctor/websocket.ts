/** Whether a websocket comes through whatever stands between: a real upgrade, and a message said back. */
import { randomUUID } from "node:crypto";
import { createConnection, type Socket } from "node:net";
import { connect } from "node:tls";
import { WebSocket } from "ws";
import * as z from "zod";
import { parseJson } from "../../client/errors.ts";
import { SocketTicket, socketProtocol, ticketProtocolPrefix } from "../../protocol/accounts.ts";
import { endpointOf, exchange, serverNameOf, type Trust } from "./exchange.ts";
import { type Finding, failure, ok, warning } from "./finding.ts";

const check = "websocket";
const timeoutMilliseconds = 10_000;
const passUpgrade =
  "let the proxy pass the upgrade on /api/ws (nginx: proxy_http_version 1.1, Upgrade $http_upgrade, Connection upgrade)";

type Outcome =
  | { readonly kind: "echoed" }
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "broken"; readonly why: string };

export async function checkWebsocket(base: URL, trust: Trust, token: string | null): Promise<Finding> {
  if (token === null) return withoutTicket(await attempt(base, trust, null));
  const ask = { method: "POST", token, body: { purpose: "probe" } } as const;
  const answer = await exchange(new URL("/api/v1/socket-tickets", base), trust, ask);
  const made = z.safeParse(SocketTicket, parseJson(answer.body));
  if (answer.status !== 201 || !made.success) {
    return failure(check, `no ticket: the API answered ${answer.status}`, "check the API token and what health says");
  }
  return judge(await attempt(base, trust, made.data.ticket));
}

function judge(outcome: Outcome): Finding {
  if (outcome.kind === "echoed") return ok(check, "a message came back");
  if (outcome.kind === "broken") return failure(check, `the socket broke: ${outcome.why}`, passUpgrade);
  const dropped = outcome.status === 426;
  const detail = dropped ? "something on the way drops the Upgrade header" : `the upgrade got ${outcome.status}`;
  return failure(check, detail, passUpgrade);
}

/** An upgrade that arrives is asked for a ticket; one that does not is told to upgrade. */
function withoutTicket(outcome: Outcome): Finding {
  if (outcome.kind !== "refused" || outcome.status !== 401) return judge(outcome);
  return warning(
    check,
    "the upgrade arrives; no message was sent",
    "give an API token (--token-file), to see it echoed",
  );
}

function attempt(base: URL, trust: Trust, ticket: string | null): Promise<Outcome> {
  const url = new URL("/api/ws?probe=true", base);
  url.protocol = base.protocol === "https:" ? "wss:" : "ws:";
  const offered = ticket === null ? [] : [`${ticketProtocolPrefix}${ticket}`];
  const said = randomUUID();
  return new Promise((resolve) => {
    const socket = new WebSocket(url.href, [socketProtocol, ...offered], {
      perMessageDeflate: false,
      followRedirects: false,
      handshakeTimeout: timeoutMilliseconds,
      createConnection: () => connection(url, trust),
    });
    const timer = setTimeout(() => end({ kind: "broken", why: "nothing came back" }), timeoutMilliseconds);
    const end = (outcome: Outcome) => {
      clearTimeout(timer);
      resolve(outcome);
      socket.terminate();
    };
    socket.on("open", () => socket.send(said));
    socket.on("message", (data) =>
      end(String(data) === said ? { kind: "echoed" } : { kind: "broken", why: "another message came back" }),
    );
    socket.on("unexpected-response", (_request, { statusCode }) => end({ kind: "refused", status: statusCode ?? 0 }));
    socket.on("error", ({ message }) => end({ kind: "broken", why: message }));
    socket.on("close", (code) => end({ kind: "broken", why: `closed with ${code}` }));
  });
}

function connection(url: URL, trust: Trust): Socket {
  const endpoint = endpointOf(url, trust);
  if (url.protocol === "ws:") return createConnection(endpoint);
  return connect({ ...endpoint, ...serverNameOf(url), ...(trust.ca === undefined ? {} : { ca: trust.ca }) });
}
