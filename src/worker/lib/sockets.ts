/** What every object that holds hibernatable sockets does with them. */

export function openSockets(sockets: WebSocket[]): WebSocket[] {
  return sockets.filter((socket) => socket.readyState === WebSocket.OPEN);
}

/** The runtime does not finish the closing handshake of a hibernatable socket by itself. */
export function answerClose(socket: WebSocket, code: number, reason: string): void {
  // These codes say that none was sent; they may not be sent either.
  const isSendable = code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code);
  if (isSendable) socket.close(code, reason);
  else socket.close(1000);
}
