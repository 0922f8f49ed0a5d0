/** What every object that holds hibernatable sockets does with them. */

export function openSockets(sockets: WebSocket[]): WebSocket[] {
  return sockets.filter((socket) => socket.readyState === WebSocket.OPEN);
}

/**
 * The runtime does not finish the closing handshake of a hibernatable socket by itself. The other side's reason is not said back:
 * of bytes that are no text it grows to more than a close may carry, which throws.
 */
export function answerClose(socket: WebSocket, code: number): void {
  socket.close(isSendable(code) ? code : 1000);
}

/** The others say that none was sent; they may not be sent either (RFC 6455 section 7.4.1). */
export function isSendable(code: number): boolean {
  return code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code);
}
