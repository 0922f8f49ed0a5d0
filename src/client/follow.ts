/**
 * A job's log from a position to its end, live: every record once, in order. A broken connection is resumed at
 * the position reached; a refusal (no right, no such job, too many viewers) ends it with the reason.
 */
import { closeCodes } from "../protocol/log-frames.ts";
import { type Backoff, backoffMilliseconds, type Clock, systemClock } from "./clock.ts";
import { ApiProblem, FollowRefused, problemFrom, UnexpectedAnswer, Unreachable } from "./errors.ts";
import { BrokenLog, LogAssembler, type LogRecord } from "./log-assembler.ts";
import { type Ending, LogConnection } from "./log-connection.ts";
import type { SocketFactory } from "./socket.ts";

export interface FollowOptions {
  baseUrl: string;
  jobId: string;
  /** Position of the first event wanted. */
  from?: number;
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

export async function* follow(options: FollowOptions): AsyncGenerator<LogRecord, void> {
  const clock = options.clock ?? systemClock;
  const assembler = new LogAssembler(options.from ?? 0);
  for (let failures = 1; ; failures++) {
    options.signal?.throwIfAborted();
    let problem: Error;
    try {
      for await (const record of oneConnection(options, assembler, clock)) {
        failures = 0;
        yield record;
        if (record.kind === "end") return;
      }
      problem = new Unreachable("the connection was closed before the log's end");
    } catch (error) {
      problem = resumable(error);
    }
    if (failures >= (options.attempts ?? 12)) throw problem;
    const wait = backoffMilliseconds(reconnect, Math.max(failures, 1), clock.random);
    options.onInterruption?.(problem.message, wait);
    await clock.sleep(wait, options.signal);
  }
}

async function* oneConnection(
  options: FollowOptions,
  assembler: LogAssembler,
  clock: Clock,
): AsyncGenerator<LogRecord, void> {
  assembler.begin();
  const request = { url: socketUrl(options.baseUrl, options.jobId, assembler.position), jobId: options.jobId };
  const connection = await LogConnection.open(options.sockets, request, clock);
  try {
    for (;;) {
      const next = await connection.next(options.signal);
      if (!(next instanceof Uint8Array)) throw problemOf(next, options.baseUrl);
      const { credit, records } = assembler.take(next);
      yield* records;
      connection.take(next, credit);
    }
  } finally {
    connection.close();
  }
}

/** The error itself where trying again may help; otherwise it is thrown on. */
function resumable(error: unknown): Error {
  if (error instanceof Unreachable) return error;
  if (error instanceof BrokenLog) return new UnexpectedAnswer(error.message, { cause: error });
  const passing = error instanceof ApiProblem && (error.status >= 500 || [408, 425, 429].includes(error.status));
  if (passing && error.code !== "binding_unusable") return error;
  throw error;
}

function problemOf(ending: Ending, baseUrl: string): Error {
  if (ending.kind === "refused") return problemFrom(ending.status, ending.body);
  const { code, reason } = ending;
  if (code >= resumableFrom || breaks.includes(code)) {
    return new Unreachable(`the connection to ${baseUrl} broke${reason ? `: ${reason}` : ` (code ${code})`}`);
  }
  return new FollowRefused(code, `${meaningOf(code)}${reason ? `: ${reason}` : ""}`);
}

function meaningOf(code: number): string {
  if (code === closeCodes.gone) return "the log is gone, or may no longer be seen";
  if (code === closeCodes.tooManyViewers) return "too many viewers of this log are open with this token";
  if (code === closeCodes.policy) return "the server found this client dishonest";
  return `the server closed the log for good (code ${code})`;
}

function socketUrl(baseUrl: string, jobId: string, from: number): string {
  const url = new URL("/api/ws", baseUrl);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  url.searchParams.set("job_id", jobId);
  url.searchParams.set("from", String(from));
  return url.href;
}
