/**
 * A socket's stream that goes on after every break, from the position reached: backoff with jitter, and an end at what
 * no retry mends. Logs (follow.ts) and the feed (follow-changes.ts) are read so.
 */
import { closeCodes } from "../protocol/log-frames.ts";
import { type Backoff, backoffMilliseconds, type Clock, systemClock } from "./clock.ts";
import { ApiProblem, FollowRefused, problemFrom, UnexpectedAnswer, Unreachable } from "./errors.ts";
import { BrokenLog } from "./log-assembler.ts";
import { type Ending, LogConnection } from "./log-connection.ts";
import type { SocketFactory, SocketRequest } from "./socket.ts";

export interface ResumeOptions {
  baseUrl: string;
  sockets: SocketFactory;
  clock?: Clock;
  signal?: AbortSignal | undefined;
  /** Connections in a row that may bring nothing before it gives up. */
  attempts?: number;
  /** Told before each wait for another try. */
  onInterruption?: (why: string, waitMilliseconds: number) => void;
}

const reconnect: Backoff = { firstMilliseconds: 250, mostMilliseconds: 30_000 };
/** From here on a close code may be resumed (protocol/log-frames.ts); below, only these: the network's own. */
const resumableFrom = 4100;
const breaks: readonly number[] = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015];

/** Items of one connection after the other, up to the one that is the last. */
export async function* resumed<Item>(
  options: ResumeOptions,
  connect: () => AsyncGenerator<Item, void>,
  isLast: (item: Item) => boolean,
): AsyncGenerator<Item, void> {
  const clock = options.clock ?? systemClock;
  for (let failures = 1; ; failures++) {
    options.signal?.throwIfAborted();
    let problem: Error;
    try {
      for await (const item of connect()) {
        failures = 0;
        yield item;
        if (isLast(item)) return;
      }
      problem = new Unreachable("the connection was closed before the end");
    } catch (error) {
      problem = resumable(error);
    }
    if (failures >= (options.attempts ?? 12)) throw problem;
    const wait = backoffMilliseconds(reconnect, Math.max(failures, 1), clock.random);
    options.onInterruption?.(problem.message, wait);
    await clock.sleep(wait, options.signal);
  }
}

/** A frame, to be acknowledged by the credit that its header tells once the reader is done with it. */
export interface TakenFrame {
  readonly bytes: Uint8Array;
  done(credit: number): void;
}

/** The frames of one connection. `what` it carries, for the message of a refusal. */
export async function* framesOf(
  options: ResumeOptions,
  request: SocketRequest,
  what: string,
): AsyncGenerator<TakenFrame, void> {
  const connection = await LogConnection.open(options.sockets, request, options.clock ?? systemClock);
  try {
    for (;;) {
      const next = await connection.next(options.signal);
      if (!(next instanceof Uint8Array)) throw problemOf(next, options.baseUrl, what);
      yield { bytes: next, done: (credit) => connection.take(next, credit) };
    }
  } finally {
    connection.close();
  }
}

export function socketUrl(baseUrl: string, query: Readonly<Record<string, string>>): string {
  const url = new URL("/api/ws", baseUrl);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

/** The error itself where trying again may help; otherwise it is thrown on. */
function resumable(error: unknown): Error {
  if (error instanceof Unreachable) return error;
  if (error instanceof BrokenLog) return new UnexpectedAnswer(error.message, { cause: error });
  const passing = error instanceof ApiProblem && (error.status >= 500 || [408, 425, 429].includes(error.status));
  if (passing && error.code !== "binding_unusable") return error;
  throw error;
}

function problemOf(ending: Ending, baseUrl: string, what: string): Error {
  if (ending.kind === "refused") return problemFrom(ending.status, ending.body);
  const { code, reason } = ending;
  if (code >= resumableFrom || breaks.includes(code)) {
    return new Unreachable(`the connection to ${baseUrl} broke${reason ? `: ${reason}` : ` (code ${code})`}`);
  }
  return new FollowRefused(code, `${meaningOf(code, what)}${reason ? `: ${reason}` : ""}`);
}

function meaningOf(code: number, what: string): string {
  if (code === closeCodes.gone) return `the ${what} is gone, or may no longer be seen`;
  if (code === closeCodes.tooManyViewers) return `too many viewers of this ${what} are open with this token`;
  if (code === closeCodes.policy) return "the server found this client dishonest";
  return `the server closed the ${what} for good (code ${code})`;
}
