/** What the feed remembers of one reader, in its socket's attachment: it may be evicted at any moment. Pure. */
import * as z from "zod";
import { encodeFeedFrame, type JobChangesPage } from "../../protocol/job-changes.ts";
import { limits } from "../../protocol/limits.ts";
import { afterFrame, newCredit, SocketCredit } from "../lib/socket-credit.ts";
import type { EpochMs } from "../lib/time.ts";

/** Changes of one frame, at most. */
export const feedPageItems = 100;

const Reader = SocketCredit.extend({ principalId: z.string(), after: z.int().min(0) });
export type Reader = z.infer<typeof Reader>;

export function newReader(principalId: string, after: number): Reader {
  return { principalId, after, ...newCredit(limits.feedCreditBytes) };
}

/** The reader of a socket, or null where its attachment is none of ours (refused sockets have none). */
export function readReader(attachment: unknown): Reader | null {
  const parsed = Reader.safeParse(attachment);
  return parsed.success ? parsed.data : null;
}

/** A page as a frame, and the reader once it was sent. */
export function afterPage(reader: Reader, page: JobChangesPage, now: EpochMs) {
  const frame = encodeFeedFrame(page, limits.feedCreditBytes);
  const next = afterFrame({ ...reader, after: page.next }, frame.length, limits.feedCreditBytes, now);
  return { frame, next };
}
