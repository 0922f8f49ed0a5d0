/**
 * Rotation of the sealing key by two slots of equal rank (DESIGN section 6). The switch is one compare-and-swap; from
 * then on triggers abort every write under the old key, so what rests under it can only become less.
 */
import type { Person } from "../../protocol/principal.ts";
import type { SealingBatch, SealingEscrowRecord, SealingStatus, SealingSwitch } from "../../protocol/sealing.ts";
import { requireMay } from "../accounts/permissions.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { type HeldKeys, sealSelfTest } from "../crypto/keyring.ts";
import type { Sealer } from "../crypto/sealer.ts";
import { claimIdleSlot, mustSealNext, nextSealingKey } from "../crypto/sealing-store.ts";
import { type Bytes, fromHex, type Random } from "../lib/bytes.ts";
import { isGuardFailure } from "../lib/d1.ts";
import { Fault, refusedField } from "../lib/fault.ts";
import type { Clock } from "../lib/time.ts";
import { keepEscrow, mustBeSealingKey } from "./escrow-store.ts";
import { nextRows, type SealedRow, sealedTables, swapRecord } from "./sealed-tables-store.ts";
import { loadSealingStatus } from "./sealing-status.ts";

export interface SealingRotationPorts {
  readonly db: D1Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly held: HeldKeys;
  readonly sealer: Sealer;
  /** Rows of one batch, which is written at once. */
  readonly batchRows?: number;
}

export interface SealingRotation {
  status(person: Person): Promise<SealingStatus>;
  /**
   * Remembers that a copy of a key is kept, or that none is.
   * @throws Fault `refused` for a key that is none of this deployment's.
   */
  escrow(person: Person, record: SealingEscrowRecord): Promise<SealingStatus>;
  /**
   * Reserves the idle slot for `to`, before it is put there.
   * @throws Fault `conflict` where another key than `from` seals, or another rotation is about to put its key.
   */
  begin(person: Person, request: SealingSwitch): Promise<void>;
  /**
   * Lets `to` seal from now on. Said again, it changes nothing.
   * @throws Fault `conflict` where another key than `from` seals, or `to` sealed before: a key never seals twice, so
   *   that what rests under a retired one only becomes less. `refused` where no slot here holds `to`.
   */
  switchTo(person: Person, request: SealingSwitch): Promise<SealingStatus>;
  /** Seals the next records that rest under other keys. Any number of runs may do it at once, and be killed. */
  reseal(person: Person, after: string | null): Promise<SealingBatch>;
  /** Opens the next records, of all keys, and keeps nothing of them. */
  verify(person: Person, after: string | null): Promise<SealingBatch>;
}

export function createSealingRotation(ports: SealingRotationPorts): SealingRotation {
  const { db, held, sealer } = ports;
  return {
    async status(person) {
      requireMay(person, "sealing.read", null);
      return loadSealingStatus(db, held);
    },
    async escrow(person, record) {
      requireMay(person, "sealing.rotate", null);
      await rememberEscrow(ports, person, record);
      return loadSealingStatus(db, held);
    },
    async begin(person, { from, to }) {
      requireMay(person, "sealing.rotate", null);
      const keyId = fromHex(to);
      if (await claimIdleSlot(db, { from, keyId, now: ports.clock() })) return;
      throw new Fault("conflict", "another rotation has begun: let it end, or wait ten minutes if it was cut off");
    },
    async switchTo(person, request) {
      requireMay(person, "sealing.rotate", null);
      const before = await loadSealingStatus(db, held);
      if (before.seals_with === request.to) return before;
      const isSwitched = await switchKey(ports, person, request);
      await sealer.refresh();
      const after = await loadSealingStatus(db, held);
      // Another run may have done it between the two: then it is done.
      if (isSwitched || after.seals_with === request.to) return after;
      throw new Fault("conflict", "another key seals than `from` says, or `to` sealed before: make a new one");
    },
    async reseal(person, after) {
      requireMay(person, "sealing.rotate", null);
      const key = await sealer.refresh();
      return walk(ports, after, key.id, (table, rows) =>
        sealer.write(() => resealRows({ db, sealer, table, rows, auditUnreadable: auditUnreadable(ports, person) })),
      );
    },
    async verify(person, after) {
      requireMay(person, "sealing.read", null);
      return walk(ports, after, null, async (_, rows) => {
        const opened = await Promise.all(rows.map((row) => tryOpen(sealer, row)));
        return { resealed: 0, unreadable: rows.filter((_row, at) => opened[at] === null) };
      });
    },
  };
}

async function rememberEscrow({ db, clock, held }: SealingRotationPorts, person: Person, record: SealingEscrowRecord) {
  const now = clock();
  const isHeld = held.keys.some(({ idHex }) => idHex === record.key_id);
  const audit = await auditRow({ action: "sealing.escrow", principal: person, details: { ...record } }, now);
  try {
    await db.batch([
      mustBeSealingKey(db, record.key_id, isHeld),
      keepEscrow(db, record, person.id, now),
      insertAudit(db, audit),
    ]);
  } catch (error) {
    if (!isGuardFailure(error)) throw error;
    throw refusedField("/key_id", "is no sealing key of this deployment");
  }
}

/** False where another key than `from` seals, or `to` sealed before. */
async function switchKey(
  { db, clock, random, held }: SealingRotationPorts,
  person: Person,
  request: SealingSwitch,
): Promise<boolean> {
  const key = held.keys.find(({ idHex }) => idHex === request.to);
  if (key === undefined) throw refusedField("/to", "no slot of this deployment holds this key yet");
  const now = clock();
  const details = { from: request.from, to: request.to };
  const audit = await auditRow({ action: "sealing.switch", principal: person, details }, now);
  try {
    await db.batch([
      mustSealNext(db, request.from, key),
      ...nextSealingKey(db, key, await sealSelfTest(key, random), now),
      insertAudit(db, audit),
    ]);
    return true;
  } catch (error) {
    if (isGuardFailure(error)) return false;
    throw error;
  }
}

type Table = (typeof sealedTables)[number];
interface Done {
  readonly resealed: number;
  readonly unreadable: readonly SealedRow[];
}

/** Batches of one request: who asks and which key seals are looked up once for all of them. */
const batchesMax = 5;

/** The next batches; the cursor behind them names the table and the last id. Each is written before the next is read. */
async function walk(
  ports: SealingRotationPorts,
  after: string | null,
  except: Bytes | null,
  run: (table: Table, rows: readonly SealedRow[]) => Promise<Done>,
): Promise<SealingBatch> {
  const walked: SealingBatch = { seen: 0, resealed: 0, unreadable: [], next: after };
  for (let batches = 0; batches < batchesMax; batches++) {
    const { seen, resealed, unreadable, next } = await walkBatch(ports, walked.next, except, run);
    walked.seen += seen;
    walked.resealed += resealed;
    walked.unreadable.push(...unreadable);
    walked.next = next;
    if (next === null) break;
  }
  return walked;
}

/** One batch, of one table. */
async function walkBatch(
  { db, batchRows = 100 }: SealingRotationPorts,
  after: string | null,
  except: Bytes | null,
  run: (table: Table, rows: readonly SealedRow[]) => Promise<Done>,
): Promise<SealingBatch> {
  const [name, afterId = ""] = (after ?? "").split("/");
  const at = Math.max(
    0,
    sealedTables.findIndex((table) => table.name === name),
  );
  const table = sealedTables[at];
  if (table === undefined) throw new Fault("internal", "there is no sealed table");
  const rows = await nextRows(db, table, afterId, except, batchRows);
  const last = rows.at(-1);
  if (last === undefined) {
    const following = sealedTables[at + 1];
    return { seen: 0, resealed: 0, unreadable: [], next: following === undefined ? null : `${following.name}/` };
  }
  const { resealed, unreadable } = await run(table, rows);
  return {
    seen: rows.length,
    resealed,
    unreadable: unreadable.map(({ id }) => ({ table: table.name, id })),
    next: `${table.name}/${last.id}`,
  };
}

/** Null where the record was altered. @throws Fault `binding_unusable` where its key is known and not held here. */
async function tryOpen(sealer: Sealer, row: SealedRow): Promise<Bytes | null> {
  try {
    return await sealer.open(row.sealed, row.context);
  } catch (error) {
    if (error instanceof Fault && error.code === "sealed_unreadable") return null;
    throw error;
  }
}

async function resealRows(batch: {
  db: D1Database;
  sealer: Sealer;
  table: Table;
  rows: readonly SealedRow[];
  auditUnreadable: (table: Table, row: SealedRow) => Promise<D1PreparedStatement>;
}): Promise<Done> {
  const { db, sealer, table, rows, auditUnreadable } = batch;
  const unreadable: SealedRow[] = [];
  const swaps: D1PreparedStatement[] = [];
  for (const row of rows) {
    const plaintext = await tryOpen(sealer, row);
    if (plaintext === null) unreadable.push(row);
    else swaps.push(swapRecord(db, table, row, await sealer.seal(plaintext, row.context)));
  }
  const auditRows = await Promise.all(unreadable.map((row) => auditUnreadable(table, row)));
  const results = await db.batch([...swaps, ...auditRows]);
  const resealed = results.slice(0, swaps.length).reduce((sum, { meta }) => sum + (meta.changes > 0 ? 1 : 0), 0);
  return { resealed, unreadable };
}

/** A record that does not open is an event: somebody may have altered it. */
function auditUnreadable({ db, clock }: SealingRotationPorts, person: Person) {
  return async (table: Table, row: SealedRow) => {
    const subject = table.name === "access_keys" ? { keyId: row.id } : { jobId: row.id };
    const details = { table: table.name };
    return insertAudit(
      db,
      await auditRow({ action: "sealed.unreadable", principal: person, ...subject, details }, clock()),
    );
  };
}
