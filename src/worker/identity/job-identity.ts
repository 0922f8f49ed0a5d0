/** What a project's managers may know of the tokens minted for a job. */
import type * as z from "zod";
import type { LedgerEntry } from "../../protocol/identity.ts";
import type { Person } from "../../protocol/principal.ts";
import { requireMay } from "../accounts/permissions.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { listMints } from "./ledger-store.ts";

export interface JobIdentity {
  ledger(person: Person, jobId: string): Promise<z.infer<typeof LedgerEntry>[]>;
}

export function createJobIdentity(ports: { db: D1Database; jobs: Pick<Jobs, "show"> }): JobIdentity {
  return {
    async ledger(person, jobId) {
      const job = await ports.jobs.show(person, jobId);
      requireMay(person, "identity_ledger.read", job.project_id);
      return listMints(ports.db, jobId);
    },
  };
}
