/**
 * Whether anybody may be reading the feed. It is asked in the very statement that changes a job's state, and written
 * before the feed is read for somebody new: so a change that finds nobody was made before that reading, which finds it.
 */

/** A column for the RETURNING of what changes a job's state. By the database's own clock, which orders both. */
export const isWatched = "EXISTS (SELECT 1 FROM feed_watch WHERE until > unixepoch() * 1000) AS is_watched";

/** Whether any statement of these changed a job's state while the feed was watched. */
export function wasWatched(...results: readonly D1Result[]): boolean {
  return results.some((result) => result.results.some((row) => (row as { is_watched?: number }).is_watched === 1));
}

/** For so long from now on, by the same clock: one that is behind would have it end before it began. */
export async function watchFeed(db: D1Database, seconds: number): Promise<void> {
  await db.prepare("UPDATE feed_watch SET until = (unixepoch() + ?) * 1000").bind(seconds).run();
}
