/**
 * Sealing as the domains use it: under the key that the database names, opened by whichever slot holds the
 * record's key. The database's word is kept for a short time; triggers refuse whoever seals under a stale one.
 */
import type { Bytes, Random } from "../lib/bytes.ts";
import { toHex, utf8 } from "../lib/bytes.ts";
import { canonicalJson } from "../lib/canonical-json.ts";
import { Fault } from "../lib/fault.ts";
import type { Clock } from "../lib/time.ts";
import { equalDigests } from "./digests.ts";
import { type HeldKeys, openSealed, type SealingState, sealingKey } from "./keyring.ts";
import { type SealContext, seal, sealedUnder } from "./sealing.ts";
import type { SealingKey } from "./sealing-key.ts";
import { isStaleSealingKey, loadSealingState } from "./sealing-store.ts";

const stateSecondsMax = 30;

export interface Sealer {
  /** The key that seals now. @throws Fault `binding_unusable` */
  current(): Promise<SealingKey>;
  /** The same by the database's word of now, not of up to half a minute ago. */
  refresh(): Promise<SealingKey>;
  seal(plaintext: Uint8Array, context: SealContext): Promise<Bytes>;
  open(record: Uint8Array, context: SealContext): Promise<Bytes>;
  /**
   * A keyed digest of a request's body, by which a retry with the same client id is known. Keyed, since the body
   * may hold a secret that a plain digest would let one guess from a dump.
   */
  requestMac(body: unknown): Promise<Bytes>;
  /** Runs a write; one that was sealed under a stale key becomes a 503 that says when to try again. */
  write<Result>(run: () => Promise<Result>): Promise<Result>;
}

/** Kept per isolate; keyed by the database, so that nothing is shared between two. */
const states = new WeakMap<D1Database, Kept>();

interface Kept {
  readonly state: SealingState;
  readonly until: number;
  /** The key that seals, once it has passed its self-test. */
  key: SealingKey | null;
}

export function createSealer(db: D1Database, held: HeldKeys, clock: Clock, random: Random): Sealer {
  async function kept(): Promise<Kept> {
    const known = states.get(db);
    if (known !== undefined && known.until > clock()) return known;
    const state = await loadSealingState(db);
    const fresh: Kept = { state, until: clock() + stateSecondsMax * 1000, key: null };
    // Before bootstrap there is nothing to keep: the very next request may bring the first key.
    if (state.sealsWith !== null) states.set(db, fresh);
    return fresh;
  }
  async function current(): Promise<SealingKey> {
    const known = await kept();
    known.key ??= await sealingKey(held, known.state);
    return known.key;
  }
  async function refresh(): Promise<SealingKey> {
    states.delete(db);
    return current();
  }
  /** A record under a key that this isolate has not heard of may be of a rotation that has just begun. */
  async function stateFor(record: Uint8Array): Promise<SealingState> {
    const { state } = await kept();
    const id = sealedUnder(record);
    if (id === null || state.listed.has(toHex(id)) || !held.keys.some((key) => equalDigests(key.id, id))) return state;
    states.delete(db);
    return (await kept()).state;
  }
  return {
    current,
    refresh,
    seal: async (plaintext, context) => seal(await current(), plaintext, context, random),
    open: async (record, context) => openSealed(held, await stateFor(record), record, context),
    requestMac: async (body) => requestMac(await current(), body),
    async write(run) {
      try {
        return await run();
      } catch (error) {
        if (!isStaleSealingKey(error)) throw error;
        states.delete(db);
        throw new Fault("unavailable", "the sealing key is being rotated", { cause: error, retryAfterSeconds: 5 });
      }
    },
  };
}

async function requestMac(key: SealingKey, body: unknown): Promise<Bytes> {
  const bytes = key.derive(utf8("signalbox/request/v1"), new Uint8Array(), 32);
  const macKey = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", macKey, utf8(canonicalJson(body)));
  return new Uint8Array(mac);
}
