/** A final log at rest, in the room's SQLite: when it was closed, its digest, and when to look whether it is due. */
import { sha256Of } from "../crypto/digests.ts";
import { toHex } from "../lib/bytes.ts";
import type { EpochMs } from "../lib/time.ts";

export interface LogLife {
  readonly closedAt: EpochMs;
  /** Of all stored events, each with its line end. */
  readonly bytes: number;
  /** The SHA-256 of these bytes, in hex. */
  readonly sha256: string;
  /** When to look whether it is to be deleted. */
  readonly lookAt: EpochMs;
}

interface LifeRow extends Record<string, SqlStorageValue> {
  closed_at: number;
  bytes: number;
  sha256: ArrayBuffer;
  look_at: number;
}

/** To be asked only of rooms that have a result: others may have no tables. */
export class LogLifeStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  find(): LogLife | null {
    const [row] = this.#storage.sql.exec<LifeRow>("SELECT * FROM life").toArray();
    if (row === undefined) return null;
    return {
      closedAt: row.closed_at as EpochMs,
      bytes: row.bytes,
      sha256: toHex(new Uint8Array(row.sha256)),
      lookAt: row.look_at as EpochMs,
    };
  }

  /** In one stretch with what makes the log final. Reads the whole log, a row at a time. */
  begin(closedAt: EpochMs, lookAt: EpochMs): void {
    let bytes = 0;
    const digest = sha256Of(
      mapped(this.#rows(), ({ body }) => {
        bytes += body.byteLength;
        return new Uint8Array(body);
      }),
    );
    this.#storage.sql.exec(
      "INSERT INTO life (id, closed_at, bytes, sha256, look_at) VALUES (1, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      closedAt,
      bytes,
      digest,
      lookAt,
    );
  }

  setLook(at: EpochMs): void {
    this.#storage.sql.exec("UPDATE life SET look_at = ?", at);
  }

  /** What the download of events serves: our own records are no part of it. */
  #rows(): Iterable<{ body: ArrayBuffer }> {
    return this.#storage.sql.exec<{ body: ArrayBuffer }>(
      "SELECT body FROM records WHERE kind IN ('events', 'part') ORDER BY seq",
    );
  }
}

function* mapped<From, To>(items: Iterable<From>, map: (item: From) => To): Generator<To, void> {
  for (const item of items) yield map(item);
}
