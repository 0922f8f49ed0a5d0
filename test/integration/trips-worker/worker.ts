/**
 * The real Worker with its bindings watched: `x-trips` of each answer names what the request asked of them, in order. A
 * batch is one trip; what a room asks by itself is not counted. One request at a time, or they count each other's.
 */
import type { Env } from "../../../src/worker/env.ts";
import worker from "../../../src/worker/index.ts";

export { Feed, LogRoom } from "../../../src/worker/index.ts";

let trips: string[] = [];
const texts = new WeakMap<D1PreparedStatement, string>();
let watched: { readonly of: Env; readonly env: Env } | null = null;

/** The same object, but for what these say. */
function changed<Target extends object>(target: Target, over: Partial<Target>): Target {
  return new Proxy(target, {
    get(_, name) {
      const value = name in over ? over[name as keyof Target] : target[name as keyof Target];
      return typeof value === "function" && !(name in over) ? value.bind(target) : value;
    },
  });
}

const isRead = (sql: string) => /^\s*(SELECT|WITH\b(?!.*\b(INSERT|UPDATE|DELETE)\b))/is.test(sql);
const kindOf = (statements: readonly string[]) => (statements.every(isRead) ? "read" : "write");

/** Runs counted where it runs by itself; a batch takes what is inside. */
const inside = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
function watchStatement(statement: D1PreparedStatement, sql: string): D1PreparedStatement {
  const counted =
    <Args extends readonly unknown[], Result>(run: (...args: Args) => Result) =>
    (...args: Args): Result => {
      trips.push(kindOf([sql]));
      return run.apply(statement, args as never);
    };
  const outer = changed(statement, {
    bind: (...values: unknown[]) => watchStatement(statement.bind(...values), sql),
    all: counted(statement.all) as D1PreparedStatement["all"],
    first: counted(statement.first) as D1PreparedStatement["first"],
    run: counted(statement.run) as D1PreparedStatement["run"],
    raw: counted(statement.raw) as D1PreparedStatement["raw"],
  });
  inside.set(outer, statement);
  texts.set(outer, sql);
  return outer;
}

function watchDatabase(db: D1Database): D1Database {
  return changed(db, {
    prepare: (sql) => watchStatement(db.prepare(sql), sql),
    batch(statements) {
      trips.push(`${kindOf(statements.map((each) => texts.get(each) ?? ""))} batch`);
      return db.batch(statements.map((each) => inside.get(each) ?? each));
    },
  });
}

function watchObjects<Objects extends Env["LOG_ROOM"] | Env["FEED"]>(objects: Objects, name: string): Objects {
  return changed(objects, {
    getByName(...args: Parameters<Objects["getByName"]>) {
      trips.push(name);
      return objects.getByName(args[0], args[1]);
    },
  } as Partial<Objects>);
}

function watch(env: Env): Env {
  if (watched?.of !== env) {
    const { DB, LOG_ROOM, FEED } = env;
    const watching = {
      DB: watchDatabase(DB),
      LOG_ROOM: watchObjects(LOG_ROOM, "room"),
      FEED: watchObjects(FEED, "feed"),
    };
    watched = { of: env, env: { ...env, ...watching } };
  }
  return watched.env;
}

export default {
  async fetch(request, env) {
    trips = [];
    const answer = await worker.fetch(request, watch(env));
    if (answer.webSocket) return answer;
    const told = new Response(answer.body, answer);
    told.headers.set("x-trips", JSON.stringify(trips));
    return told;
  },

  scheduled: (event, env) => worker.scheduled(event, env),
} satisfies ExportedHandler<Env>;
