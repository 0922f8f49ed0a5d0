/** The real D1, of which one call is lost: before it reached the database, or on the way back (RELIABILITY F4). */

export type Loss = "before" | "after";

export interface FaultyDatabase {
  readonly db: D1Database;
  /** Whether the call that is to be lost was made at all. */
  wasLost(): boolean;
}

/** `nth` counts round trips from 1 on: a batch is one, each statement that is run by itself another. */
function faultyDatabase(real: D1Database, nth: number, loss: Loss): FaultyDatabase {
  let calls = 0;
  const attempt = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    calls += 1;
    if (calls !== nth) return run();
    if (loss === "after") await run();
    throw new Error("D1_ERROR: Network connection lost.");
  };
  const originals = new WeakMap<object, D1PreparedStatement>();
  const original = (statement: D1PreparedStatement) => originals.get(statement) ?? statement;
  const wrapped = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapper = {
      bind: (...values: unknown[]) => wrapped(statement.bind(...values)),
      first: (column: string) => attempt(() => (column === undefined ? statement.first() : statement.first(column))),
      all: () => attempt(() => statement.all()),
      run: () => attempt(() => statement.run()),
    } as unknown as D1PreparedStatement;
    originals.set(wrapper, statement);
    return wrapper;
  };
  const db = {
    prepare: (sql: string) => wrapped(real.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) => attempt(() => real.batch(statements.map(original))),
  } as D1Database;
  return { db, wasLost: () => calls >= nth };
}

/** Tries with the first call lost, then the second, and so on, each before and after it is made, until none is lost. */
export async function withEachCallLost(
  real: D1Database,
  trial: (faulty: FaultyDatabase, told: { nth: number; loss: Loss }) => Promise<void>,
): Promise<number> {
  for (let nth = 1; ; nth++) {
    for (const loss of ["before", "after"] as const) {
      const faulty = faultyDatabase(real, nth, loss);
      await trial(faulty, { nth, loss });
      if (!faulty.wasLost()) return nth - 1;
    }
  }
}
