/** Socket tickets: single-use, short, for one purpose. Browsers cannot put a header on a websocket. */
import type { Person } from "../../protocol/principal.ts";
import { newToken, sha256, tokenDigest } from "../crypto/digests.ts";
import { type Random, utf8 } from "../lib/bytes.ts";
import { unauthenticated } from "../lib/fault.ts";
import { type Clock, plusSeconds, toTimestamp } from "../lib/time.ts";
import { toPerson } from "./accounts.ts";
import { insertTicket, takeTicket } from "./accounts-store.ts";

const ticketSeconds = 30;

type Purpose = "job" | "probe";

export interface SocketTickets {
  /** A ticket that opens one socket on the job. The caller has checked that the person may watch it. */
  create(person: Person, jobId: string): Promise<{ ticket: string; expires_at: string }>;
  /** A ticket that opens one socket which echoes a message: for whoever checks what stands between. */
  createProbe(person: Person): Promise<{ ticket: string; expires_at: string }>;
  /** Who the ticket belongs to, once. @throws Fault `unauthenticated` */
  take(ticket: string, jobId: string): Promise<Person>;
  takeProbe(ticket: string): Promise<Person>;
}

export function createSocketTickets(ports: { db: D1Database; clock: Clock; random: Random }): SocketTickets {
  const { db, clock, random } = ports;
  const create = async (person: Person, purpose: Purpose, jobId: string | null) => {
    const now = clock();
    const ticket = newToken("tkt", random);
    const expiresAt = plusSeconds(now, ticketSeconds);
    const digest = await sha256(utf8(ticket));
    await insertTicket(db, { digest, purpose, jobId, tokenId: person.id, expiresAt }, now);
    return { ticket, expires_at: toTimestamp(expiresAt) };
  };
  const take = async (ticket: string, purpose: Purpose, jobId: string | null) => {
    const digest = await tokenDigest("tkt", ticket);
    const taken = digest === null ? null : await takeTicket(db, digest, purpose, clock());
    if (taken === null || taken.jobId !== jobId) throw unauthenticated();
    return toPerson(taken.token);
  };
  return {
    create: (person, jobId) => create(person, "job", jobId),
    createProbe: (person) => create(person, "probe", null),
    take: (ticket, jobId) => take(ticket, "job", jobId),
    takeProbe: (ticket) => take(ticket, "probe", null),
  };
}
