/** The log room of the integration tests, and the bugs that show that a checker can turn red. */
import { limits } from "../../../src/protocol/limits.ts";
import type { EpochMs } from "../../../src/worker/lib/time.ts";
import entry, { TestLogRoom as SoundRoom } from "../../integration/log-room-worker/worker.ts";
import type { RoomBug } from "../planted.ts";

type SoundEnv = ConstructorParameters<typeof SoundRoom>[1];
type Env = SoundEnv & { readonly PLANTED: RoomBug | "" };

export class TestLogRoom extends SoundRoom {
  readonly #bug: Env["PLANTED"];
  #pushes = 0;

  constructor(ctx: DurableObjectState, env: SoundEnv) {
    super(ctx, env);
    this.#bug = (env as Env).PLANTED;
    if (this.#bug === "no_credit") Object.assign(limits, { viewerCreditBytes: 1e9, roomCreditBytes: 1e12 });
    if (this.#bug === "no_socket_limit") Object.assign(limits, { viewersPerPrincipal: 1e9 });
    // The edge's limit, but one isolate holds both.
    if (this.#bug === "no_message_limit") {
      Object.assign(limits, { socketMessagesAtFirst: 1e9, socketMessagesSaved: 1e9 });
    }
  }

  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (this.#bug === "" || url.pathname !== "/push") return super.fetch(request);
    const body = await request.text();
    const count = body.split("\n").length - 1;
    const startFrom = Number(url.searchParams.get("start_from"));
    const { next: head } = await this.read({ from: 1e9, maxBytes: 1 });
    const push = (from: number) => {
      url.searchParams.set("start_from", String(from));
      return super.fetch(new Request(url, { method: "POST", body }));
    };
    switch (this.#bug) {
      case "acks_unstored":
        return ++this.#pushes % 4 === 0 ? new Response(null) : push(startFrom);
      case "stores_twice":
        return startFrom < head ? push(head) : push(startFrom);
      case "hides_gaps":
        return push(Math.min(startFrom, head));
      case "last_wins":
        this.ctx.storage.sql.exec(
          "UPDATE records SET body = ? WHERE position = ? AND until = ?",
          new TextEncoder().encode(body),
          startFrom,
          startFrom + count,
        );
        return push(startFrom);
      case "skips_frames":
        return this.#skipping(await push(startFrom));
      case "forgets_carry":
        return this.#forgetting(await push(startFrom));
      default:
        return push(startFrom);
    }
  }

  /** A viewer's place moves past what it was never sent, which shows once the room was evicted. */
  #skipping(answer: Response): Response {
    for (const socket of this.ctx.getWebSockets()) {
      const viewer = socket.deserializeAttachment();
      if (viewer === null) continue;
      const cursor = { ...viewer.cursor, seq: viewer.cursor.seq + 1 };
      socket.serializeAttachment({ ...viewer, cursor });
    }
    return answer;
  }

  async #forgetting(answer: Response): Promise<Response> {
    this.ctx.storage.sql.exec("DELETE FROM carry");
    // Writes to the room's row, so that what is remembered of it is read again.
    await this.setAlarm((Date.now() + 3_600_000) as EpochMs);
    return answer;
  }
}

// biome-ignore lint/style/noDefaultExport: a Worker's entry
export default entry;
