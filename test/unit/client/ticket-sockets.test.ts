import { expect, test } from "vitest";
import { ticketSockets } from "../../../src/client/socket.ts";

class FakeSocket {
  static last: FakeSocket;
  binaryType = "blob";
  closedWith: number | undefined;
  readonly listeners = new Map<string, (event: { data?: unknown; code?: number; reason?: string }) => void>();
  readonly url: string;
  readonly protocols: string[];
  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.last = this;
  }
  send() {}
  close(code?: number) {
    this.closedWith = code;
  }
  addEventListener(type: string, listener: (event: { data?: unknown }) => void) {
    this.listeners.set(type, listener);
  }
}

function connect() {
  const told: unknown[] = [];
  let tickets = 0;
  const open = ticketSockets(FakeSocket, async (jobId) => `${jobId}-${++tickets}`);
  const socket = open(
    { url: "wss://ci.example.com/api/ws?job_id=j&from=0", jobId: "j" },
    {
      opened: () => told.push("opened"),
      frame: (bytes) => told.push([...bytes]),
      text: (text) => told.push(text),
      refused: () => told.push("refused"),
      closed: (code) => told.push(code),
    },
  );
  return { socket, told };
}

test("a ticket travels as a subprotocol, in no URL, and each connection has its own", async () => {
  await connect().socket;
  expect(FakeSocket.last.protocols).toEqual(["signalbox.v1", "signalbox.ticket.j-1"]);
  expect(FakeSocket.last.url).not.toContain("j-1");
  expect(FakeSocket.last.binaryType).toBe("arraybuffer");
});

test("frames arrive as bytes, the pong as text, and the close once", async () => {
  const { socket, told } = connect();
  await socket;
  FakeSocket.last.listeners.get("open")?.({});
  FakeSocket.last.listeners.get("message")?.({ data: new Uint8Array([1, 2]).buffer });
  FakeSocket.last.listeners.get("message")?.({ data: "pong" });
  (await socket).close();
  FakeSocket.last.listeners.get("close")?.({ code: 1006 });
  expect(told).toEqual(["opened", [1, 2], "pong", 1000]);
});
