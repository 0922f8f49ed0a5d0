/**
 * A job's log from a position to its end, live: every record once, in order. A broken connection is resumed at
 * the position reached; a refusal (no right, no such job, too many viewers) ends it with the reason.
 */
import { LogAssembler, type LogRecord } from "./log-assembler.ts";
import { framesOf, type ResumeOptions, resumed, socketUrl } from "./resume.ts";

export interface FollowOptions extends ResumeOptions {
  jobId: string;
  /** Position of the first event wanted. */
  from?: number;
}

export function follow(options: FollowOptions): AsyncGenerator<LogRecord, void> {
  const assembler = new LogAssembler(options.from ?? 0);
  return resumed(
    options,
    () => oneConnection(options, assembler),
    (record) => record.kind === "end",
  );
}

async function* oneConnection(options: FollowOptions, assembler: LogAssembler): AsyncGenerator<LogRecord, void> {
  assembler.begin();
  const { jobId, baseUrl } = options;
  const url = socketUrl(baseUrl, { job_id: jobId, from: String(assembler.position) });
  for await (const { bytes, done } of framesOf(options, { url, jobId }, "log")) {
    const { credit, records } = assembler.take(bytes);
    yield* records;
    done(credit);
  }
}
