/** HTTP with a client that costs next to nothing: what is measured is the Worker. */
import { connect, type Socket } from "node:net";

/**
 * A connection that is kept. It knows an answer by its length alone, which no request changes: a client that parsed
 * headers would cost more than the Worker, and differently for each route.
 */
export class Connection {
  readonly #socket: Socket;
  #answer: (bytes: Buffer) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#answer(bytes));
    socket.setNoDelay(true);
  }

  static open(url: URL): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(url.port), url.hostname, () => resolve(new Connection(socket)));
      socket.once("error", reject);
    });
  }

  /** Asks once, and answers what came, whole. @throws Error on another status. */
  once(request: string, status: number): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = "";
      this.#answer = (bytes) => {
        text += bytes.toString("latin1");
        if (!isWhole(text)) return;
        if (text.startsWith(`HTTP/1.1 ${status} `)) resolve(text);
        else reject(new Error(`it answered ${text.slice(0, 40)}`));
      };
      this.#socket.write(request);
    });
  }

  /** Asks so often, one after the other; answers are `length` bytes long. */
  async repeat(request: string, times: number, length: number): Promise<void> {
    let [left, missing] = [times, length];
    await new Promise<void>((resolve, reject) => {
      this.#answer = (bytes) => {
        missing -= bytes.length;
        if (missing < 0) reject(new Error("an answer was longer than the first"));
        if (missing > 0) return;
        missing = length;
        if (--left === 0) resolve();
        else this.#socket.write(request);
      };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n") + 4;
  const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
  return end >= 4 && text.length >= end + length;
}

export function requestOf(url: URL, path: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ host: url.host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
