/**
 * The edge's end of a socket that an object serves, a log's room or the feed. An object that sleeps between messages is handed each
 * as an event of its own: 0.15 ms even of one that it drops, and they go on behind its close. So one reader's flood of 20,000
 * would hold up pushes and everybody else for three seconds. Here a message costs microseconds, and who sends too many, too long or
 * meaningless ones is cut off before the object hears of it.
 *
 * What a reader does not take waits here, so what waits is counted for each principal, until its connection is gone: not even
 * many sockets on many logs fill an isolate's memory, which others' requests live in. It is what is unacknowledged, or
 * measured where that is more: a reader may acknowledge what it never took.
 */
import { limits } from "../../protocol/limits.ts";
import { closeCodes, socketPing } from "../../protocol/log-frames.ts";
import { MessageAllowance } from "./message-allowance.ts";
import { readAck } from "./socket-credit.ts";
import { answerClose, isSendable } from "./sockets.ts";
import { type Clock, plusSeconds } from "./time.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

const waiting = new WaitingBytes();

/** How often what waits behind a close is looked at, and for how long a look counts: what is gone ends without a word. */
const lookMilliseconds = 1000;
const lookCountsSeconds = 3;

/** The answer to an upgrade, relayed: the object's own where it opened no socket. */
export function relayed(answer: Response, principalId: string, clock: Clock): Response {
  const { webSocket: inner, status, headers } = answer;
  if (inner === null) return answer;
  const { 0: client, 1: outer } = new WebSocketPair();
  relay(inner, outer, new Reader(principalId, clock));
  return new Response(null, { status, headers, webSocket: client });
}

interface Close {
  readonly code: number;
  readonly reason: string;
}

/** What is known of one reader. Null where a frame or a message may pass. */
class Reader {
  readonly #principalId: string;
  readonly #clock: Clock;
  readonly #allowance: MessageAllowance;
  #sent = 0;
  #acked = 0;

  constructor(principalId: string, clock: Clock) {
    this.#principalId = principalId;
    this.#clock = clock;
    this.#allowance = new MessageAllowance(clock());
  }

  /** A frame of so many bytes is to be sent, while `buffered` bytes of those before have not left yet. */
  onFrame(bytes: number, buffered: number): Close | null {
    this.#allowance.earn();
    this.#sent += bytes;
    this.#count(buffered + bytes);
    if (waiting.total(this.#principalId, this.#clock()) <= limits.principalUnackedBytes) return null;
    return { code: closeCodes.stalled, reason: "too much is unacknowledged over all sockets of this token" };
  }

  onMessage(message: string | ArrayBuffer, buffered: number): Close | null {
    if (!this.#allowance.spend(this.#clock())) {
      return { code: closeCodes.tooManyMessages, reason: "too many messages" };
    }
    if (message === socketPing) return null;
    const ack = readAck(message);
    if (typeof ack !== "number") return ack;
    // Whether it is honest the object decides: it knows what it sent.
    this.#acked = Math.max(this.#acked, Math.min(ack, this.#sent));
    this.#count(buffered);
    return null;
  }

  /** Nothing more is sent. What was, and has not left, is held as long as the connection stands. */
  onLook(buffered: number): void {
    waiting.put(this.#principalId, this, buffered, plusSeconds(this.#clock(), lookCountsSeconds));
  }

  #count(buffered: number): void {
    waiting.put(this.#principalId, this, Math.max(this.#sent - this.#acked, buffered));
  }
}

function relay(inner: WebSocket, outer: WebSocket, reader: Reader): void {
  let isOpen = true;
  const end = ({ code, reason }: Close): void => {
    if (!isOpen) return;
    isOpen = false;
    answerClose(inner, code);
    // Without a code the object is gone: 1000 would tell the reader that it has everything.
    outer.close(isSendable(code) ? code : 1011, reason);
    lookBehind(outer, reader);
  };
  for (const socket of [inner, outer]) {
    socket.binaryType = "arraybuffer";
    socket.accept();
    socket.addEventListener("error", () => end({ code: 1011, reason: "the connection failed" }));
  }
  inner.addEventListener("close", end);
  outer.addEventListener("close", ({ code }) => end({ code, reason: "" }));
  inner.addEventListener("message", ({ data }) => {
    const refusal = isOpen && typeof data !== "string" ? reader.onFrame(data.byteLength, outer.bufferedAmount) : null;
    if (refusal !== null) return end(refusal);
    if (!isOpen) return;
    outer.send(data);
    if (typeof data !== "string") free(data);
  });
  outer.addEventListener("message", ({ data }) => {
    const refusal = isOpen ? reader.onMessage(data, outer.bufferedAmount) : null;
    if (refusal !== null) end(refusal);
    else if (isOpen) inner.send(data);
  });
}

/**
 * A frame was copied when it was sent. Left to the collector, what crowds are sent would make it run, over the whole heap,
 * every few pushes: a tenth of what a frame costs.
 */
function free(frame: ArrayBuffer): void {
  frame.transfer(0);
}

/** No event tells when a connection that closed has taken the rest: its reader can say that it closes, and take nothing. */
function lookBehind(outer: WebSocket, reader: Reader): void {
  const buffered = outer.bufferedAmount;
  reader.onLook(buffered);
  if (buffered > 0) setTimeout(() => lookBehind(outer, reader), lookMilliseconds);
}
