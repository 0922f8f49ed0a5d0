/** Our log room, as the tests have it, and the least that could take its place: no masks, no credit, no resuming. */
import { DurableObject } from "cloudflare:workers";
import entry, { TestLogRoom as LogRoom } from "../../test/integration/log-room-worker/worker.ts";

/** Ours, and how many rows a push wrote, in a header. */
export class TestLogRoom extends LogRoom {
  #cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];

  constructor(ctx: DurableObjectState, env: ConstructorParameters<typeof LogRoom>[1]) {
    super(ctx, env);
    const { sql } = ctx.storage;
    const exec = sql.exec.bind(sql);
    Object.assign(sql, {
      exec: (...args: Parameters<typeof exec>) => {
        const cursor = exec(...args);
        this.#cursors.push(cursor);
        return cursor;
      },
    });
  }

  override async fetch(request: Request): Promise<Response> {
    this.#cursors = [];
    const answer = await super.fetch(request);
    if (answer.status === 101) return answer;
    const written = this.#cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0);
    return new Response(null, { status: answer.status, headers: { "x-rows-written": String(written) } });
  }
}

const rowBytes = 256 * 1024;

/** Inserts each push as it came, in rows of the same size as ours, and sends the same bytes to every socket. */
export class BareRoom extends DurableObject {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env as never);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  }

  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") === "websocket") {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    const body = new Uint8Array(await request.arrayBuffer());
    for (let at = 0; at < body.length; at += rowBytes) {
      const row = body.slice(at, at + rowBytes);
      this.ctx.storage.sql.exec("INSERT INTO rows (body) VALUES (?)", row);
      for (const socket of this.ctx.getWebSockets()) socket.send(row);
    }
    return new Response(null);
  }

  override webSocketMessage(): void {}
}

interface Env {
  readonly BARE_ROOM: DurableObjectNamespace<BareRoom>;
}

// biome-ignore lint/style/noDefaultExport: a Worker's entry
export default {
  fetch(request: Request, env: Env & Parameters<typeof entry.fetch>[1]): Promise<Response> {
    const url = new URL(request.url);
    if (!url.pathname.startsWith("/bare")) return entry.fetch(request, env);
    const room = env.BARE_ROOM.get(env.BARE_ROOM.idFromName(url.searchParams.get("job") ?? ""));
    return room.fetch(request);
  },
};
