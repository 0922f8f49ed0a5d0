/** How often the Worker asked D1, and how many records it opened, since it was asked last. */

export interface Counts {
  /** Requests to D1; a batch is one. */
  readonly roundTrips: number;
  /** Statements that name the table of access keys. */
  readonly keyStatements: number;
  readonly opened: number;
}

let counts = { roundTrips: 0, keyStatements: 0, opened: 0 };

export function takeCounts(): Counts {
  const taken = counts;
  counts = { roundTrips: 0, keyStatements: 0, opened: 0 };
  return taken;
}

let isCounting = false;

/** Counts from now on, once for the isolate. */
export function startCounting(db: D1Database): void {
  if (isCounting) return;
  isCounting = true;
  const database = Object.getPrototypeOf(db);
  const statement = Object.getPrototypeOf(db.prepare("SELECT 1"));
  for (const name of ["first", "run", "all", "raw"]) before(statement, name, () => counts.roundTrips++);
  before(database, "batch", () => counts.roundTrips++);
  before(database, "prepare", (sql) => {
    if (/\baccess_keys\b/.test(String(sql))) counts.keyStatements++;
  });
  before(crypto.subtle, "decrypt", () => counts.opened++);
}

function before(owner: object, name: string, tell: (first: unknown) => void): void {
  const original: (...args: unknown[]) => unknown = Reflect.get(owner, name);
  Object.defineProperty(owner, name, {
    value(this: unknown, ...args: unknown[]) {
      tell(args[0]);
      return Reflect.apply(original, this, args);
    },
  });
}
