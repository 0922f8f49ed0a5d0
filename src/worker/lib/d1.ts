/** What D1 and SQLite say, read in one place: guards that abort a batch, and violated constraints. */

/**
 * A statement that aborts its batch unless `guard` holds. Put it first: in D1 an UPDATE that matches nothing
 * does not stop the statements behind it (docs/storage.md, "Guarded batches").
 */
export function must(db: D1Database, guard: string, ...binds: readonly unknown[]): D1PreparedStatement {
  return db.prepare(`INSERT INTO must SELECT EXISTS (${guard}) WHERE 1 ON CONFLICT (ok) DO NOTHING`).bind(...binds);
}

/** Whether a batch ended because its guard did not hold. */
export function isGuardFailure(error: unknown): boolean {
  return error instanceof Error && /CHECK constraint failed: ok = 1/.test(error.message);
}

/** Whether a row was refused because another has the same value in `column` (`table.column`), or in any. */
export function violatesUnique(error: unknown, column = "[a-z_.]+"): boolean {
  return error instanceof Error && new RegExp(`UNIQUE constraint failed: (.*, )?${column}(,|:|$)`).test(error.message);
}

/** Whether a row was refused because it has nothing in `column` (`table.column`). */
export function lacksValue(error: unknown, column: string): boolean {
  return error instanceof Error && error.message.includes(`NOT NULL constraint failed: ${column}`);
}

/** Whether a trigger refused a row with this word. */
export function refusedByTrigger(error: unknown, word: string): boolean {
  return error instanceof Error && error.message.includes(word);
}

/** Whether a row names another that does not exist. */
export function violatesForeignKey(error: unknown): boolean {
  return error instanceof Error && error.message.includes("FOREIGN KEY constraint failed");
}
