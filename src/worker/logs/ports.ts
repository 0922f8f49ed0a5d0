/** What a log room needs from the house, wired by services.ts: logs/ imports nothing above itself. */
import type { SealContext } from "../crypto/sealing.ts";
import type { DeadlineOutcome } from "../jobs/deadlines.ts";
import type { Bytes } from "../lib/bytes.ts";
import type { Clock, EpochMs } from "../lib/time.ts";

export interface LogRoomPorts {
  readonly clock: Clock;
  /** @throws Fault `binding_unusable` or `sealed_unreadable`. */
  readonly openMasks: (sealed: Bytes, context: SealContext) => Promise<Bytes>;
  /** Decides time limit and lost agent. Idempotent: an alarm may ring twice. */
  readonly enforceDeadlines: (jobId: string, now: EpochMs) => Promise<DeadlineOutcome>;
  /** Which of these principals may watch the job's log now. */
  readonly whoMayWatch: (jobId: string, principalIds: readonly string[], now: EpochMs) => Promise<ReadonlySet<string>>;
  /** Days for which the job's project keeps logs now; null where the job is gone. */
  readonly retentionDays: (jobId: string) => Promise<number | null>;
  /** Who reads the log is told so from then on. Idempotent: an alarm may ring twice. */
  readonly logDeleted: (jobId: string, deletion: { readonly at: EpochMs; readonly sha256: string }) => Promise<void>;
  /** A final log looks so often whether it is due: what lowers the retention is noticed by then. */
  readonly retentionCheckSeconds: number;
  /** Stored bytes per job. */
  readonly logBytesMax: number;
}
