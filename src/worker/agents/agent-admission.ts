/** Holds agents to the networks allowed for them. */
import { type NetworkGate, outside } from "../accounts/network-gate.ts";
import { tokenDigest } from "../crypto/digests.ts";
import { notFound } from "../lib/fault.ts";
import type { Clock } from "../lib/time.ts";
import { findLiveRegistration } from "./agent-types-store.ts";
import { findAgent } from "./agents-store.ts";

/** @throws Fault `forbidden` for a known credential from outside, `not_found` for an unknown one from there */
export type AgentAdmission = (credential: string, request: Request) => Promise<void>;

/**
 * Before the use case: a sync reads its credential in the trip that also claims a job, which one from outside must
 * not. Only where it comes from outside is the credential looked up for itself, so that strangers learn of no lists.
 */
export function createAgentAdmission(ports: { db: D1Database; clock: Clock; networks: NetworkGate }): AgentAdmission {
  const { db, clock, networks } = ports;
  const isKnown = async (credential: string): Promise<boolean> => {
    const agent = await tokenDigest("agt", credential);
    if (agent !== null) return (await findAgent(db, agent)) !== null;
    const registration = await tokenDigest("reg", credential);
    // No agent has an empty name, so only a registration token with uses left is found.
    return registration !== null && (await findLiveRegistration(db, registration, "", clock())) !== null;
  };
  return async (credential, request) => {
    if (await networks.isAllowed("agents", request)) return;
    throw (await isKnown(credential)) ? outside("agents") : notFound();
  };
}
