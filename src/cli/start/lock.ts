/**
 * One start per data folder: two runtimes on the same database files would spoil them. The lock is SQLite's own
 * on an empty file, which the kernel releases when the process dies, however it dies. No stale locks to clean.
 * Nothing else in this process may open that file: closing it again would give the lock up (POSIX fcntl).
 */
import { DatabaseSync } from "node:sqlite";
import { Failure } from "../exit.ts";

export interface Lock {
  release(): void;
}

const sqliteBusy = 5;

/** A database that nobody names any more is closed by the garbage collector, and its lock with it. */
const held = new Set<DatabaseSync>();

export function lockFolder(path: string, folder: string): Lock {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) {
      throw new Failure(`the data folder ${folder} is in use by another signalbox: stop that one, or give --data DIR`);
    }
    throw error;
  }
  held.add(database);
  return {
    release() {
      held.delete(database);
      database.close();
    },
  };
}
