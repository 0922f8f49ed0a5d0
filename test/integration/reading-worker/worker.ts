/**
 * The real Worker with its rooms watched: `/asked` tells, and forgets, what was asked of them. A request with the header
 * `x-delete-before-call: N` finds the log deleted before its Nth call of the job's room: before the first is behind what
 * was looked up of the job. One request at a time, or they count each other's. From `/unheard` to `/heard` no room hears
 * of its job's end; `/ring` lets the alarm of one ring.
 */
import type { Env } from "../../../src/worker/env.ts";
import worker, { LogRoom as RealLogRoom } from "../../../src/worker/index.ts";
import type { EpochMs } from "../../../src/worker/lib/time.ts";

export { Feed } from "../../../src/worker/index.ts";

export class LogRoom extends RealLogRoom {
  /** What the alarm does on the day that the log is due. */
  async expire(): Promise<void> {
    this.ctx.storage.sql.exec("UPDATE life SET closed_at = 0, look_at = 0");
    await this.alarm();
  }

  /** What the alarm does once the time has come for which it was set. */
  async ring(): Promise<void> {
    const hasRoom = this.ctx.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'room'").toArray().length > 0;
    if (!hasRoom || this.ctx.storage.sql.exec("SELECT deadline_at FROM room").one().deadline_at === null) return;
    await this.setAlarm(0 as EpochMs);
    await this.alarm();
  }
}

type Room = ReturnType<Env["LOG_ROOM"]["getByName"]>;

let asked: string[] = [];
/** Calls from here to the one that finds the log deleted; null: none does. */
let callsLeft: number | null = null;
let endsAreHeard = true;

function watched(rooms: Env["LOG_ROOM"]): Env["LOG_ROOM"] {
  return new Proxy(rooms, {
    get: (_, name) =>
      name === "getByName" ? (jobId: string) => watchedRoom(rooms.getByName(jobId)) : Reflect.get(rooms, name),
  });
}

function watchedRoom(room: Room): Room {
  return new Proxy(room, {
    get(_, name) {
      // A promise for a room looks whether the room is a promise itself.
      if (name === "then") return undefined;
      return async (...args: unknown[]): Promise<unknown> => {
        asked.push(String(name));
        if (name === "finish" && !endsAreHeard) throw new Error("planted");
        if (callsLeft !== null && --callsLeft === 0) {
          await (room as unknown as DurableObjectStub<LogRoom>).expire();
        }
        return (room as unknown as Record<string | symbol, (...given: unknown[]) => unknown>)[name]?.(...args);
      };
    },
  });
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/asked") {
      const told = asked;
      asked = [];
      return Response.json(told);
    }
    if (pathname === "/heard" || pathname === "/unheard") {
      endsAreHeard = pathname === "/heard";
      return new Response(null);
    }
    if (pathname === "/ring") {
      const room = env.LOG_ROOM.getByName(searchParams.get("job") ?? "");
      await (room as unknown as DurableObjectStub<LogRoom>).ring();
      return new Response(null);
    }
    const deletion = request.headers.get("x-delete-before-call");
    callsLeft = deletion === null ? null : Number(deletion);
    return worker.fetch(request, { ...env, LOG_ROOM: watched(env.LOG_ROOM) });
  },

  scheduled: (event, env) => worker.scheduled(event, { ...env, LOG_ROOM: watched(env.LOG_ROOM) }),
} satisfies ExportedHandler<Env>;
