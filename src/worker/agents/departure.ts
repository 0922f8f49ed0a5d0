/** How an agent ends, whoever ends it: its access token is dead from then on, and the job that it had fails. */
import type { AuditPrincipal } from "../audit/audit.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { isGuardFailure } from "../lib/d1.ts";
import type { Clock } from "../lib/time.ts";
import { disconnectAgent, findAgentsMadeBy, findAssignment, mustBeConnected } from "./agents-store.ts";

export interface DeparturePorts {
  readonly db: D1Database;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, "finish">;
}

export async function endAgent(
  { db, clock, jobs }: DeparturePorts,
  agent: { readonly id: string; readonly by: AuditPrincipal; readonly reason: string },
): Promise<void> {
  const details = { agent_id: agent.id, reason: agent.reason };
  const audit = await auditRow({ action: "agent.disconnect", principal: agent.by, details }, clock());
  try {
    await db.batch([mustBeConnected(db, agent.id), disconnectAgent(db, agent.id, clock()), insertAudit(db, audit)]);
  } catch (error) {
    // It has gone before, and the record says so: a dead credential must not add a row as often as it likes.
    if (!isGuardFailure(error)) throw error;
  }
  // Read behind the write: no sync can have claimed another meanwhile.
  const had = await findAssignment(db, agent.id);
  if (had !== null) await jobs.finish({ ...had, result: "failed", reason: agent.reason });
}

/** Ends every agent that registered through these API tokens. */
export async function endAgentsOf(ports: DeparturePorts, tokenIds: readonly string[], by: AuditPrincipal) {
  for (const id of await findAgentsMadeBy(ports.db, tokenIds)) {
    await endAgent(ports, { id, by, reason: "what its agent registered with was revoked" });
  }
}
