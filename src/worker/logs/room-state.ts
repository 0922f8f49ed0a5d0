/** What a log room knows of itself beside its records, and the row that holds it. Pure. */
import type { JobResult } from "../../protocol/jobs.ts";
import type { EpochMs } from "../lib/time.ts";
import type { Carry } from "./mask-stream.ts";

export interface RoomState {
  /** Null until the job's masks were armed. */
  readonly armed: ArmedJob | null;
  /** The next position: all below are stored or lie in a gap. */
  readonly head: number;
  readonly bytes: number;
  readonly lastSeq: number;
  /** What masking holds back behind the last event; null: nothing. */
  readonly carry: Carry | null;
  /** Nothing more is stored: the cap was reached, and a notice says so. */
  readonly isFull: boolean;
  /** Not null: the log is final. */
  readonly result: JobResult | null;
  readonly deadlineAt: EpochMs | null;
  /** When to look for viewers that acknowledge nothing, or may no longer see the job. Null: nobody watches. */
  readonly sweepAt: EpochMs | null;
}

export interface ArmedJob {
  readonly jobId: string;
  readonly projectId: string;
  readonly claimNumber: number;
  /** Counts arms: whoever opened masks can tell whether they are still these. */
  readonly maskRevision: number;
}

/** Of a room that nothing was said to yet. */
export const emptyRoom: RoomState = {
  armed: null,
  head: 0,
  bytes: 0,
  lastSeq: 0,
  carry: null,
  isFull: false,
  result: null,
  deadlineAt: null,
  sweepAt: null,
};

/** The room's row, and that of `carry` beside it. */
export interface RoomRow extends Record<string, SqlStorageValue> {
  job_id: string | null;
  project_id: string | null;
  claim_number: number | null;
  mask_revision: number;
  head: number;
  bytes: number;
  last_seq: number;
  is_full: number;
  result: JobResult | null;
  deadline_at: number | null;
  sweep_at: number | null;
  /** Null where no row of `carry` stands beside the room's. */
  needle: number | null;
  depth: number | null;
  masked: number | null;
}

export function toState(row: RoomRow): RoomState {
  return {
    armed: toArmed(row),
    head: row.head,
    bytes: row.bytes,
    lastSeq: row.last_seq,
    carry: toCarry(row),
    isFull: row.is_full === 1,
    result: row.result,
    deadlineAt: row.deadline_at as EpochMs | null,
    sweepAt: row.sweep_at as EpochMs | null,
  };
}

function toCarry({ needle, depth, masked }: RoomRow): Carry | null {
  return needle === null || depth === null || masked === null ? null : { needle, depth, masked };
}

function toArmed(row: RoomRow): ArmedJob | null {
  if (row.job_id === null || row.project_id === null || row.claim_number === null) return null;
  return {
    jobId: row.job_id,
    projectId: row.project_id,
    claimNumber: row.claim_number,
    maskRevision: row.mask_revision,
  };
}
