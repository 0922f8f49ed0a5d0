/** A job's specification at rest: sealed, since it may hold secrets, and bound to its job. */
import { JobSpec } from "../../protocol/jobs.ts";
import type { Sealer } from "../crypto/sealer.ts";
import type { SealContext } from "../crypto/sealing.ts";
import { type Bytes, fromUtf8, utf8 } from "../lib/bytes.ts";

export function sealSpec(sealer: Sealer, job: { id: string; project_id: string }, spec: JobSpec): Promise<Bytes> {
  return sealer.seal(utf8(JSON.stringify(spec)), contextOf(job));
}

/** @throws Fault `sealed_unreadable` where the record is not this job's. */
export async function openSpec(
  sealer: Sealer,
  job: { id: string; project_id: string },
  sealed: Bytes,
): Promise<JobSpec> {
  return JobSpec.parse(JSON.parse(fromUtf8(await sealer.open(sealed, contextOf(job)))));
}

function contextOf(job: { id: string; project_id: string }): SealContext {
  return { purpose: "job_spec", projectId: job.project_id, recordId: job.id, secretVersion: 0, type: "" };
}
