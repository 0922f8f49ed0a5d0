/**
 * A room's answers to pushes (DESIGN section 10, "Append"): what becomes of one is push.ts's to decide, and is done here.
 * Statuses are the agent protocol's, every answer has an empty body.
 */
import { limits } from "../../protocol/limits.ts";
import { report } from "../lib/report.ts";
import { toSeconds } from "../lib/time.ts";
import type { LogStore } from "./log-store.ts";
import type { Matcher } from "./mask.ts";
import type { Masking } from "./masking.ts";
import type { LogRoomPorts } from "./ports.ts";
import { readStartFrom } from "./positions.ts";
import { jobTaking, type Push, planPush } from "./push.ts";
import { readBounded } from "./push-body.ts";
import type { ArmedJob, RoomState } from "./room-state.ts";

interface RoomPushesPorts {
  readonly ports: () => LogRoomPorts;
  /** Told in the stretch that stores: the log may have grown. */
  readonly onAppended: () => void;
}

export class RoomPushes {
  readonly #store: LogStore;
  readonly #masking: Masking;
  readonly #ports: () => LogRoomPorts;
  readonly #onAppended: () => void;

  constructor(store: LogStore, masking: Masking, { ports, onAppended }: RoomPushesPorts) {
    this.#store = store;
    this.#masking = masking;
    this.#ports = ports;
    this.#onAppended = onAppended;
  }

  async take(request: Request, query: URLSearchParams): Promise<Response> {
    const startFrom = readStartFrom(query.get("start_from"));
    if (startFrom === null) return status(400);
    const claimNumber = Number(query.get("claim"));
    let body: Uint8Array | null | undefined;
    for (;;) {
      // Asked anew after each wait: the job may have ended, or the masks changed, meanwhile.
      const state = this.#store.state();
      const job = jobTaking(state, claimNumber);
      if (job === null) return status(422);
      const matcher = this.#masking.held(job);
      if (matcher === undefined) {
        if (!(await this.#prepareMasks(job))) return status(503, { "retry-after": "30" });
      } else if (body === undefined) {
        body = await readBounded(request.body, limits.logPushBytes);
      } else {
        return this.#append(state, { startFrom, claimNumber, body }, matcher);
      }
    }
  }

  /** Where masks do not open nothing is stored: false. */
  async #prepareMasks(job: ArmedJob): Promise<boolean> {
    try {
      await this.#masking.prepare(job, this.#ports());
      return true;
    } catch (cause) {
      report("the masks of a log could not be opened", cause);
      return false;
    }
  }

  /** One stretch: from here to the answer nothing waits. The runtime holds the answer until all is durable. */
  #append(state: RoomState, push: Push, matcher: Matcher): Response {
    const { clock, logBytesMax } = this.#ports();
    const plan = planPush(state, push, { matcher, now: toSeconds(clock()), logBytesMax });
    if (plan.kind === "malformed") return status(400);
    this.#store.atomically(() => {
      if (plan.kind !== "stored") return this.#refuse(state, plan);
      this.#store.append(plan.records);
      if (plan.carry !== state.carry) this.#store.setCarry(plan.carry);
    });
    this.#onAppended();
    return status(plan.kind === "stored" ? 200 : 422);
  }

  #refuse({ head }: RoomState, { notice, fills }: { notice: string | null; fills: boolean }): void {
    if (fills) this.#store.markFull();
    if (notice === null || this.#store.hasNotice(notice)) return;
    this.#store.append([{ kind: "notice", position: head, text: notice }]);
  }
}

function status(code: number, headers: Record<string, string> = {}): Response {
  return new Response(null, { status: code, headers });
}
