/** Socket tickets: single-use, short, for one purpose. Browsers cannot put a header on a websocket. */
import type { SocketTicketCreate } from "../../protocol/accounts.ts";
import type { Person } from "../../protocol/principal.ts";
import { newToken, sha256, tokenDigest } from "../crypto/digests.ts";
import { type Random, utf8 } from "../lib/bytes.ts";
import { unauthenticated } from "../lib/fault.ts";
import { type Clock, plusSeconds, toTimestamp } from "../lib/time.ts";
import { toPerson } from "./accounts.ts";
import { insertTicket, takeTicket } from "./accounts-store.ts";

const ticketSeconds = 30;

export interface SocketTickets {
  /** A ticket that opens one socket. The caller has checked that the person may watch what it names. */
  create(person: Person, opens: SocketTicketCreate): Promise<{ ticket: string; expires_at: string }>;
  /** Who the ticket belongs to, once, where it opens just this. @throws Fault `unauthenticated` */
  take(ticket: string, opens: SocketTicketCreate): Promise<Person>;
}

export function createSocketTickets(ports: { db: D1Database; clock: Clock; random: Random }): SocketTickets {
  const { db, clock, random } = ports;
  return {
    async create(person, opens) {
      const now = clock();
      const ticket = newToken("tkt", random);
      const expiresAt = plusSeconds(now, ticketSeconds);
      const digest = await sha256(utf8(ticket));
      const row = { digest, purpose: opens.purpose, jobId: jobOf(opens), tokenId: person.id, expiresAt };
      await insertTicket(db, row, now);
      return { ticket, expires_at: toTimestamp(expiresAt) };
    },
    async take(ticket, opens) {
      const digest = await tokenDigest("tkt", ticket);
      const taken = digest === null ? null : await takeTicket(db, digest, opens.purpose, clock());
      if (taken === null || taken.jobId !== jobOf(opens)) throw unauthenticated();
      return toPerson(taken.token);
    },
  };
}

function jobOf(opens: SocketTicketCreate): string | null {
  return opens.purpose === "job" ? opens.job_id : null;
}
