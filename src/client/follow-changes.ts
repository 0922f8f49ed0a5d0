/**
 * How the states of jobs change, live, in all projects that one may read: each change once, in order, from a position on
 * and without an end. A broken connection is resumed at the position reached.
 */
import { decodeFeedFrame, type JobChangesPage } from "../protocol/job-changes.ts";
import { UnexpectedAnswer } from "./errors.ts";
import { framesOf, type ResumeOptions, resumed, socketUrl } from "./resume.ts";

export interface FollowChangesOptions extends ResumeOptions {
  /** The last position that was read; 0 begins with the oldest change that is kept. */
  after?: number;
}

/** Pages as they come. One that is not `complete` tells that changes before it are no longer kept. */
export function followChanges(options: FollowChangesOptions): AsyncGenerator<JobChangesPage, void> {
  const place = { after: options.after ?? 0 };
  return resumed(
    options,
    () => oneConnection(options, place),
    () => false,
  );
}

async function* oneConnection(
  options: FollowChangesOptions,
  place: { after: number },
): AsyncGenerator<JobChangesPage, void> {
  const url = socketUrl(options.baseUrl, { after: String(place.after) });
  for await (const { bytes, done } of framesOf(options, { url, jobId: null }, "feed")) {
    const { page, credit } = pageOf(bytes);
    place.after = page.next;
    yield page;
    done(credit);
  }
}

function pageOf(bytes: Uint8Array): ReturnType<typeof decodeFeedFrame> {
  try {
    return decodeFeedFrame(bytes);
  } catch (cause) {
    throw new UnexpectedAnswer("the server sent a frame that is none of the feed", { cause });
  }
}
