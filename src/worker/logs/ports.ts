/** What a log room needs from the house, wired by services.ts: logs/ imports nothing above itself. */
import type { JobResult } from "../../protocol/jobs.ts";
import type { SealContext } from "../crypto/sealing.ts";
import type { Bytes } from "../lib/bytes.ts";
import type { Clock, EpochMs } from "../lib/time.ts";

/** What the job's deadlines say now: look again at `until`, or the job is over and its log ends so. */
export type DeadlineVerdict =
  | { readonly kind: "wait"; readonly until: EpochMs }
  | { readonly kind: "finished"; readonly result: JobResult; readonly notice: string | null };

export interface LogRoomPorts {
  readonly clock: Clock;
  /** @throws Fault `binding_unusable` or `sealed_unreadable`. */
  readonly openMasks: (sealed: Bytes, context: SealContext) => Promise<Bytes>;
  /** Decides time limit and lost agent. Idempotent: an alarm may ring twice. */
  readonly enforceDeadlines: (jobId: string, now: EpochMs) => Promise<DeadlineVerdict>;
  /** Which of these principals may watch the job's log now. */
  readonly whoMayWatch: (jobId: string, principalIds: readonly string[], now: EpochMs) => Promise<ReadonlySet<string>>;
  /** Stored bytes per job. */
  readonly logBytesMax: number;
}
