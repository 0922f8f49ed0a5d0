/**
 * Whether an object takes one more socket: how many are open, and how often one principal came within this minute.
 * The count of a minute lies in memory alone: an object that is flooded stays awake.
 */
import { limits } from "../../protocol/limits.ts";
import { closeCodes } from "../../protocol/log-frames.ts";
import type { EpochMs } from "./time.ts";

export interface SocketRefusal {
  readonly code: number;
  readonly reason: string;
}

export class SocketDoor {
  #minute = 0;
  readonly #opens = new Map<string, number>();

  /** Null: it may come in. `own` and `all` are open already. */
  refusal(principalId: string, open: { own: number; all: number; most: number }, now: EpochMs): SocketRefusal | null {
    if (this.#timesThisMinute(principalId, now) > limits.socketOpensPerMinute) {
      return { code: closeCodes.tooOften, reason: "sockets were opened too often" };
    }
    if (open.own >= limits.viewersPerPrincipal) {
      return { code: closeCodes.tooManyViewers, reason: "too many sockets of this token are open here" };
    }
    return open.all < open.most ? null : { code: closeCodes.crowded, reason: "too many sockets are open here" };
  }

  #timesThisMinute(principalId: string, now: EpochMs): number {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) this.#opens.clear();
    this.#minute = minute;
    const times = (this.#opens.get(principalId) ?? 0) + 1;
    this.#opens.set(principalId, times);
    return times;
  }
}
