/** What the edge and an object that holds sockets say to each other in headers: only the Worker can speak to one. */
import { socketProtocol } from "../../protocol/accounts.ts";

/** Names who watches, for the count of sockets per principal. */
export const principalHeader = "x-signalbox-principal";
export const protocolHeader = "sec-websocket-protocol";

/** Of several offered subprotocols exactly one may be echoed, and none where none was offered. */
export function acceptedProtocol(offered: string | null): string | null {
  const names = (offered ?? "").split(",").map((name) => name.trim());
  return names.includes(socketProtocol) ? socketProtocol : null;
}

/** The headers of an upgrade as an object gets it. Tickets travel beside the subprotocol: they end here. */
export function upgradeHeaders(request: Request, principalId: string): Headers {
  const headers = new Headers({ upgrade: "websocket", [principalHeader]: principalId });
  const protocol = acceptedProtocol(request.headers.get(protocolHeader));
  if (protocol !== null) headers.set(protocolHeader, protocol);
  return headers;
}

/** The 101 to such an upgrade. */
export function upgraded(client: WebSocket, request: Request): Response {
  const protocol = acceptedProtocol(request.headers.get(protocolHeader));
  const headers: Record<string, string> = protocol === null ? {} : { [protocolHeader]: protocol };
  return new Response(null, { status: 101, webSocket: client, headers });
}
