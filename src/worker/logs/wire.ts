/** What the edge and the room say to each other in headers: only the Worker can speak to a room. */
import { socketProtocol } from "../../protocol/accounts.ts";

/** Names who watches, for the count of sockets per principal. */
export const principalHeader = "x-signalbox-principal";
export const protocolHeader = "sec-websocket-protocol";

/** Of several offered subprotocols exactly one may be echoed, and none where none was offered. */
export function acceptedProtocol(offered: string | null): string | null {
  const names = (offered ?? "").split(",").map((name) => name.trim());
  return names.includes(socketProtocol) ? socketProtocol : null;
}
