/**
 * A relying party with a key set of its own, kept as RFC 9111 and RFC 5861 let it: it uses a set while it is fresh, a stale
 * one while it asks anew or cannot, and never asks because a token names a key that it does not know.
 */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { issuer } from "../support/harness.ts";
import type { ClockedWorker } from "./clocked-worker.ts";

export interface Habits {
  readonly name: string;
  /** Takes a token for so long beyond its time, either way. */
  readonly leewaySeconds: number;
  /** Keeps no key set at all, one while it is fresh, or one that it also uses while it asks for another. */
  readonly keeps: "none" | "fresh" | "stale";
  /** For how long nothing gets through to it, from each time on that it was told the key set. */
  outageSeconds(longest: number): number;
}

interface Kept {
  readonly keys: ReturnType<typeof createLocalJWKSet>;
  readonly kids: readonly string[];
  readonly etag: string;
  readonly at: number;
  readonly maxAge: number;
  readonly staleWhileRevalidate: number;
  /** The oldest that a set may be used: caches in a row may each add theirs, so they are added up. */
  readonly longest: number;
}

export class RelyingParty {
  readonly habits: Habits;
  readonly counts = { keySets: 0, unchanged: 0, unanswered: 0, staleUses: 0 };
  readonly #worker: ClockedWorker;
  #kept: Kept | null = null;
  #cutOffUntil = 0;
  #asking: Promise<Kept | null> | null = null;

  constructor(worker: ClockedWorker, habits: Habits) {
    this.#worker = worker;
    this.habits = habits;
  }

  /** The ids of the keys that it trusts now. */
  get kids(): readonly string[] {
    return this.#kept?.kids ?? [];
  }

  /** Why it refuses a token, or null where it takes it. */
  async refusal(token: string): Promise<string | null> {
    const currentDate = new Date(this.#worker.now * 1000);
    try {
      const { keys } = await this.#keySet();
      const clockTolerance = this.habits.leewaySeconds;
      await jwtVerify(token, keys, { algorithms: ["RS256"], issuer, audience: issuer, currentDate, clockTolerance });
      return null;
    } catch (error) {
      return String(error);
    }
  }

  /** Asks now, whatever it keeps. */
  async renew(): Promise<void> {
    this.#cutOffUntil = 0;
    await this.#ask();
  }

  /** Until what it asks behind its answers is answered. */
  async settled(): Promise<void> {
    await this.#asking;
  }

  async #keySet(): Promise<Kept> {
    const kept = this.#kept;
    const age = kept === null ? Number.POSITIVE_INFINITY : this.#worker.now - kept.at;
    const { keeps } = this.habits;
    if (kept !== null && keeps !== "none" && age < kept.maxAge) return kept;
    const asked = this.#ask();
    if (kept !== null && keeps === "stale" && age <= kept.maxAge + kept.staleWhileRevalidate) {
      return this.#stale(kept);
    }
    const renewed = await asked;
    if (renewed !== null) return renewed;
    if (kept !== null && keeps === "stale" && age <= kept.longest) return this.#stale(kept);
    throw new Error("the key set is not answered");
  }

  #stale(kept: Kept): Kept {
    this.counts.staleUses++;
    return kept;
  }

  /** One question at a time, whoever waits for it. */
  #ask(): Promise<Kept | null> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fetch(): Promise<Kept | null> {
    const at = this.#worker.now;
    if (at <= this.#cutOffUntil) return null;
    const known = this.#kept;
    const headers: Record<string, string> = known === null ? {} : { "if-none-match": known.etag };
    const response = await this.#worker.fetch("/.well-known/jwks.json", { headers }).catch(() => null);
    if (response === null || (response.status !== 200 && response.status !== 304)) {
      this.counts.unanswered++;
      return null;
    }
    this.counts.keySets++;
    const kept = { ...(await this.#read(response, known)), ...allowedBy(response.headers), at };
    this.#kept = kept;
    const outage = this.habits.outageSeconds(kept.longest);
    this.#cutOffUntil = outage === 0 ? 0 : at + outage;
    return kept;
  }

  async #read(response: Response, known: Kept | null): Promise<Pick<Kept, "keys" | "kids" | "etag">> {
    if (response.status === 304 && known !== null) {
      this.counts.unchanged++;
      return known;
    }
    const set = (await response.json()) as JSONWebKeySet;
    const kids = set.keys.map(({ kid }) => kid ?? "");
    return { keys: createLocalJWKSet(set), kids, etag: response.headers.get("etag") ?? "" };
  }
}

function allowedBy(headers: Headers): Pick<Kept, "maxAge" | "staleWhileRevalidate" | "longest"> {
  const text = headers.get("cache-control") ?? "";
  const seconds = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(text)?.[1] ?? 0);
  const [maxAge, staleWhileRevalidate] = [seconds("max-age"), seconds("stale-while-revalidate")];
  return { maxAge, staleWhileRevalidate, longest: maxAge + staleWhileRevalidate + seconds("stale-if-error") };
}
