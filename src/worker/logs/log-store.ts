/**
 * The room's own row, its masks and its records, in the room's SQLite. The tables are log-tables-store.ts's, how the
 * log rests once it is final is log-life-store.ts's. Statements that belong together run in one stretch without an
 * await, which the runtime commits as one transaction and makes durable before any answer leaves.
 */
import type { JobResult } from "../../protocol/jobs.ts";
import { type Bytes, fromUtf8, utf8 } from "../lib/bytes.ts";
import type { EpochMs } from "../lib/time.ts";
import { createTables, hasTables } from "./log-tables-store.ts";
import { type Carry, lostNeedle } from "./mask-stream.ts";
import { bodyOf, type RecordRow, toRecord } from "./record-row.ts";
import { type LogRecord, untilOf } from "./records.ts";
import { type ArmedJob, emptyRoom, type RoomRow, type RoomState, toState } from "./room-state.ts";

/** Records never change once written, so the last few read or written are kept: many viewers ask for the same. */
const keptRecords = 4;

export class LogStore {
  readonly #storage: DurableObjectStorage;
  readonly #kept = new Map<number, LogRecord>();
  /** What `state` answers, as long as nothing was written since. */
  #state: RoomState | null = null;
  #hasTables: boolean;

  /** A room that nothing was written to takes no storage: reading it makes no tables. */
  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#hasTables = hasTables(storage);
    // Those of a newer deployment too.
    if (this.#hasTables) createTables(storage);
  }

  /** Frees the storage, alarm included: the room is as if nothing had ever been written to it. */
  async empty(): Promise<void> {
    // In one stretch with what is forgotten: who comes while this waits must not take what was known for what is there.
    const emptied = Promise.all([this.#storage.deleteAlarm(), this.#storage.deleteAll()]);
    this.#state = null;
    this.#kept.clear();
    this.#hasTables = false;
    await emptied;
  }

  /** All of `write` or nothing: an exception in it undoes what it wrote. */
  atomically(write: () => void): void {
    try {
      this.#storage.transactionSync(write);
    } catch (cause) {
      this.#state = null;
      this.#kept.clear();
      this.#hasTables = hasTables(this.#storage);
      throw cause;
    }
  }

  state(): RoomState {
    if (this.#state !== null) return this.#state;
    if (!this.#hasTables) return emptyRoom;
    const [row] = this.#storage.sql
      .exec<RoomRow>("SELECT * FROM room LEFT JOIN carry USING (id) WHERE id = 1")
      .toArray();
    this.#state = row === undefined ? emptyRoom : toState(row);
    return this.#state;
  }

  /** What was known of the room's own rows is known no more. */
  #write(statement: string, ...values: (SqlStorageValue | Bytes)[]): Record<string, SqlStorageValue>[] {
    this.#state = null;
    return this.#storage.sql.exec(statement, ...values).toArray();
  }

  /** Guarded by the old state: a closed log stays closed, a lower claim number never replaces a higher one. */
  arm(job: Omit<ArmedJob, "maskRevision">, sealedMasks: Bytes): void {
    this.#ensureRoom();
    const armed = this.#write(
      `UPDATE room SET job_id = ?, project_id = ?, claim_number = ?, mask_revision = mask_revision + 1
       WHERE id = 1 AND result IS NULL AND (claim_number IS NULL OR claim_number <= ?) RETURNING id`,
      job.jobId,
      job.projectId,
      job.claimNumber,
      job.claimNumber,
    );
    if (armed.length === 0) return;
    // A claim passes on only while nothing was handed over, so the masks of an earlier one hide nothing.
    const gone = this.#write("DELETE FROM masks WHERE claim_number < ? RETURNING id", job.claimNumber);
    if (gone.length > 0) this.#write("UPDATE carry SET needle = ?", lostNeedle);
    this.#write("INSERT INTO masks (claim_number, sealed) VALUES (?, ?)", job.claimNumber, sealedMasks);
  }

  /** One more to look for, in the log of the claim that is armed. */
  addMasks(claimNumber: number, sealedMasks: Bytes): void {
    this.#write("UPDATE room SET mask_revision = mask_revision + 1 WHERE id = 1");
    const insert = "INSERT INTO masks (claim_number, is_asked, sealed) VALUES (?, 1, ?)";
    this.#write(insert, claimNumber, sealedMasks);
  }

  /** How often the claim was armed, and how many secrets were added since. */
  maskCounts(): { armed: number; asked: number } {
    const count =
      "SELECT count(*) - coalesce(sum(is_asked), 0) AS armed, coalesce(sum(is_asked), 0) AS asked FROM masks";
    return this.#storage.sql.exec<{ armed: number; asked: number }>(count).one();
  }

  /** One transaction: a log that takes no more has no masks, and one that has none takes no more. */
  close(result: JobResult): void {
    this.#ensureRoom();
    this.#write("UPDATE room SET result = ?, deadline_at = NULL WHERE id = 1 AND result IS NULL", result);
    this.#write("DELETE FROM masks");
    this.#write("DELETE FROM carry");
  }

  /** The armed claim's masks, one for each time that it was armed. */
  sealedMasks(): Bytes[] {
    const rows = this.#storage.sql.exec<{ sealed: ArrayBuffer }>("SELECT sealed FROM masks ORDER BY id").toArray();
    return rows.map((row) => new Uint8Array(row.sealed));
  }

  /** An earlier one that is still to come stands: who asks again must not put it off. One that has passed is done with. */
  setDeadline(at: EpochMs, now: EpochMs): void {
    this.#ensureRoom();
    this.#write(
      `UPDATE room SET deadline_at = ?1
       WHERE id = 1 AND (deadline_at IS NULL OR deadline_at <= ?2 OR deadline_at > ?1)`,
      at,
      now,
    );
  }

  dropDeadline(): void {
    this.#write("UPDATE room SET deadline_at = NULL WHERE id = 1");
  }

  setSweep(at: EpochMs | null): void {
    this.#ensureRoom();
    this.#write("UPDATE room SET sweep_at = ? WHERE id = 1", at);
  }

  markFull(): void {
    this.#write("UPDATE room SET is_full = 1 WHERE id = 1");
  }

  /** To be called in one stretch with the append that it belongs to. */
  setCarry(carry: Carry | null): void {
    if (carry === null) {
      this.#write("DELETE FROM carry");
      return;
    }
    const { needle, depth, masked } = carry;
    this.#write("INSERT OR REPLACE INTO carry (id, needle, depth, masked) VALUES (1, ?, ?, ?)", needle, depth, masked);
  }

  append(records: readonly LogRecord[]): void {
    if (records.length === 0) return;
    this.#ensureRoom();
    const before = this.state();
    let { lastSeq, head, bytes } = before;
    for (const record of records) {
      const body = bodyOf(record);
      this.#insert(++lastSeq, record, body);
      this.#keep(lastSeq, record);
      head = untilOf(record);
      bytes += body.length;
    }
    this.#write("UPDATE room SET head = ?, bytes = ?, last_seq = ? WHERE id = 1", head, bytes, lastSeq);
    this.#state = { ...before, head, bytes, lastSeq };
  }

  record(seq: number): LogRecord | null {
    const kept = this.#kept.get(seq);
    if (kept !== undefined) return kept;
    // Who has everything asks for the next at every pump.
    if (seq < 1 || seq > this.state().lastSeq) return null;
    const [row] = this.#storage.sql.exec<RecordRow>("SELECT * FROM records WHERE seq = ?", seq).toArray();
    if (row === undefined) return null;
    const record = toRecord(row);
    this.#keep(seq, record);
    return record;
  }

  #keep(seq: number, record: LogRecord): void {
    this.#kept.set(seq, record);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= keptRecords) break;
      this.#kept.delete(oldest);
    }
  }

  /** `reachOf` a record, without its bytes: a search reads many. */
  reach(seq: number): number | null {
    const [row] = this.#storage.sql
      .exec<{ reach: number }>("SELECT until - (kind <> 'notice') AS reach FROM records WHERE seq = ?", seq)
      .toArray();
    return row?.reach ?? null;
  }

  notices(limit: number): { position: number; text: string }[] {
    return this.#storage.sql
      .exec<{ position: number; body: ArrayBuffer }>(
        "SELECT position, body FROM records WHERE kind = 'notice' ORDER BY seq LIMIT ?",
        limit,
      )
      .toArray()
      .map(({ position, body }) => ({ position, text: fromUtf8(new Uint8Array(body)) }));
  }

  hasNotice(text: string): boolean {
    const found = this.#storage.sql.exec(
      "SELECT 1 FROM records WHERE kind = 'notice' AND body = ? LIMIT 1",
      utf8(text),
    );
    return found.toArray().length > 0;
  }

  #insert(seq: number, record: LogRecord, body: Uint8Array): void {
    const { part, parts, size } = record.kind === "part" ? record : { part: 0, parts: 0, size: 0 };
    this.#storage.sql.exec(
      "INSERT INTO records (seq, kind, position, until, part, parts, size, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      seq,
      record.kind,
      record.position,
      untilOf(record),
      part,
      parts,
      size,
      body,
    );
  }

  #ensureRoom(): void {
    if (this.#state !== null && this.#state !== emptyRoom) return;
    if (!this.#hasTables) createTables(this.#storage);
    this.#hasTables = true;
    this.#write("INSERT INTO room (id) VALUES (1) ON CONFLICT DO NOTHING");
  }
}
