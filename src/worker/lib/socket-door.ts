/**
 * Whether an object takes one more socket: how many are open, and how often one principal came within this minute.
 * The count of a minute lies in memory alone: an object that is flooded stays awake.
 */
import { limits } from "../../protocol/limits.ts";
import { closeCodes } from "../../protocol/log-frames.ts";
import { type EpochMs, plusSeconds } from "./time.ts";

export interface SocketRefusal {
  readonly code: number;
  readonly reason: string;
}

/** A minute of one principal, from its first opening on. */
interface Minute {
  readonly since: EpochMs;
  times: number;
}

export class SocketDoor {
  /** In the order in which they began. */
  readonly #minutes = new Map<string, Minute>();

  /** Null: it may come in. `own` and `all` are open already. */
  refusal(principalId: string, open: { own: number; all: number; most: number }, now: EpochMs): SocketRefusal | null {
    if (this.#times(principalId, now) > limits.socketOpensPerMinute) {
      return { code: closeCodes.tooOften, reason: "sockets were opened too often" };
    }
    if (open.own >= limits.viewersPerPrincipal) {
      return { code: closeCodes.tooManyViewers, reason: "too many sockets of this token are open here" };
    }
    return open.all < open.most ? null : { code: closeCodes.crowded, reason: "too many sockets are open here" };
  }

  #times(principalId: string, now: EpochMs): number {
    for (const [each, { since }] of this.#minutes) {
      if (plusSeconds(since, 60) > now) break;
      this.#minutes.delete(each);
    }
    const minute = this.#minutes.get(principalId) ?? { since: now, times: 0 };
    minute.times++;
    this.#minutes.set(principalId, minute);
    return minute.times;
  }
}
