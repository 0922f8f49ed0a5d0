/**
 * Rotation of the sealing key, ended in the middle: the Worker at each of its calls to D1, before and behind the commit; the
 * command while writers and other runs are at work. Whoever runs it again comes to its end, with every row open.
 */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Person } from "../../src/protocol/principal.ts";
import { parseHeldKeys } from "../../src/worker/crypto/keyring.ts";
import { createSealer } from "../../src/worker/crypto/sealer.ts";
import { systemRandom } from "../../src/worker/lib/bytes.ts";
import { systemClock } from "../../src/worker/lib/time.ts";
import { createSealingRotation, type SealingRotation } from "../../src/worker/sealing/sealing-rotation.ts";
import { addKey, createWorld, type World } from "../support/api.ts";
import { defaultVars, type Harness, newSealingKey, startHarness } from "../support/harness.ts";
import { startSignalbox } from "../support/processes.ts";
import { openFromText } from "../unit/worker/crypto/second-opener.ts";

let harness: Harness;
let world: World;
/** What seals now. */
let current = defaultVars.ACCESS_KEY_ENCRYPTION;
/** Three batches of the Worker's that is killed. */
const keyCount = 12;
const batchRows = 5;
const owner: Person = { kind: "token", id: randomUUID(), name: "o", role: "owner", projectId: null, expiresAtMs: null };

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  await Promise.all(Array.from({ length: keyCount }, (_, at) => store(`key-${at}`)));
});
afterAll(() => harness.close());

const secretOf = (name: string) => `what ${name} holds`;
const store = (name: string) => addKey(world, name, { type: "string", value: secretOf(name) });

/** Every record opens by the second implementation, under this key, to the bytes that were stored. */
async function everyRowOpens(key: string): Promise<number> {
  const { results } = await harness.db.prepare("SELECT * FROM access_keys").all<Record<string, unknown>>();
  for (const row of results) {
    const opened = openFromText(Buffer.from(key, "base64"), Uint8Array.from(row.sealed as number[]), {
      purpose: "access_key",
      projectId: String(row.project_id),
      recordId: String(row.id),
      secretVersion: Number(row.secret_version),
      type: String(row.type),
    });
    expect(JSON.parse(opened.toString())).toEqual({ type: "string", value: secretOf(String(row.name)) });
    expect(row.secret_version).toBe(1);
  }
  return results.length;
}

// ── The Worker ───────────────────────────────────────────────────────────────────────────────────────────────────

type When = "before" | "after";
class Killed extends Error {}

/**
 * The real database, and a Worker that ends at its `nth` write, before it reaches D1 or once D1 has done it. What ends at a
 * read leaves behind what the write before it left.
 */
function killedAt(nth: number, when: When) {
  let writes = 0;
  const call = async <Result>(isWrite: boolean, run: () => Promise<Result>): Promise<Result> => {
    if (isWrite) writes++;
    if (writes > nth || (isWrite && writes === nth && when === "before")) throw new Killed();
    const result = await run();
    if (isWrite && writes === nth) throw new Killed();
    return result;
  };
  const sqlOf = new WeakMap<D1PreparedStatement, string>();
  const writesAny = (...batch: D1PreparedStatement[]) =>
    batch.some((each) => !/^\s*(SELECT|WITH)/.test(sqlOf.get(each) ?? ""));
  const realOf = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const statement = (real: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const shown = new Proxy(real, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => statement(target.bind(...values), sql);
        const method: (...args: unknown[]) => Promise<unknown> = Reflect.get(target, name);
        return (...args: unknown[]) => call(writesAny(shown), () => method.apply(target, args));
      },
    });
    sqlOf.set(shown, sql);
    realOf.set(shown, real);
    return shown;
  };
  const db = {
    prepare: (sql: string) => statement(harness.db.prepare(sql), sql),
    batch: (batch: D1PreparedStatement[]) =>
      call(writesAny(...batch), () => harness.db.batch(batch.map((each) => realOf.get(each) ?? each))),
  } as D1Database;
  return { db, writes: () => writes };
}

async function workerWith(db: D1Database, ...keys: string[]): Promise<SealingRotation> {
  const held = await parseHeldKeys(keys.map((key, at) => [`SLOT_${at}`, key]));
  const base = { db, held, clock: systemClock, random: systemRandom };
  return createSealingRotation({ ...base, batchRows, sealer: createSealer(db, held, systemClock, systemRandom) });
}

/** From where another run may have left off to the end. */
async function rotate(worker: SealingRotation): Promise<void> {
  const { seals_with: from, items } = await worker.status(owner);
  const fresh = items.find(({ state }) => state === "new");
  if (fresh !== undefined) {
    await worker.begin(owner, { from, to: fresh.key_id });
    await worker.switchTo(owner, { from, to: fresh.key_id });
  }
  for (let after: string | null = null; ; ) {
    const { next, unreadable } = await worker.reseal(owner, after);
    expect(unreadable).toEqual([]);
    if (next === null) return;
    after = next;
  }
}

/** A rotation to a new key that is killed there, and its end by another run. */
async function trial(nth: number, when: When): Promise<number> {
  const next = newSealingKey();
  const { db, writes } = killedAt(nth, when);
  const run = rotate(await workerWith(db, current, next));
  if (Number.isFinite(nth)) await expect(run).rejects.toBeInstanceOf(Killed);
  else await run;
  const resumed = await workerWith(harness.db, current, next);
  await rotate(resumed);
  expect(await everyRowOpens(next), `${when} write ${nth}`).toBe(keyCount);
  const states = (await resumed.status(owner)).items.map(({ state }) => state);
  expect(states).not.toContain("retired");
  expect(states).not.toContain("missing");
  current = next;
  return writes();
}

it("killed before and behind every write, a rotation is brought to its end by the next run: counted trials", async () => {
  const writes = await trial(Number.POSITIVE_INFINITY, "before");
  // To begin, to switch, and three batches.
  expect(writes).toBe(5);
  let trials = 0;
  for (let nth = 1; nth <= writes; nth++) {
    for (const when of ["before", "after"] as const) {
      await trial(nth, when);
      trials++;
    }
  }
  expect(trials).toBe(10);
});

it("of two runs that switch at the same moment both go on: the later one finds done what it wanted", async () => {
  const next = newSealingKey();
  const first = await workerWith(harness.db, current, next);
  const { seals_with: from, items } = await first.status(owner);
  const to = items.find(({ state }) => state === "new")?.key_id ?? "";
  // The other one's switch comes between what this one reads and what it writes.
  let batches = 0;
  const overtaken = {
    prepare: (sql: string) => harness.db.prepare(sql),
    async batch(batch: D1PreparedStatement[]) {
      batches++;
      if (batches === 2) await first.switchTo(owner, { from, to });
      return harness.db.batch(batch);
    },
  } as D1Database;
  const second = await workerWith(overtaken, current, next);
  expect((await second.switchTo(owner, { from, to })).seals_with).toBe(to);
  await rotate(first);
  current = next;
});

// ── The command ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Passes requests on to the Worker; `on` is told of each before it goes there, and before its answer goes back. */
async function between(on: (path: string, when: When) => void) {
  const server = createServer(async (request, response) => {
    const path = request.url ?? "";
    on(path, "before");
    const body = new Uint8Array(await buffer(request));
    const { method = "GET" } = request;
    const answer = await harness.fetch(path, {
      method,
      headers: { authorization: request.headers.authorization ?? "" },
      ...(body.length > 0 && { body }),
    });
    on(path, "after");
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    response.end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

const killPoints: [path: string, when: When][] = [
  ["/switch", "after"],
  ["/reseal", "after"],
];

/** Stores keys until it is stopped; answers how many. */
async function write(prefix: string, isOver: () => boolean): Promise<number> {
  let stored = 0;
  for (let at = 0; !isOver(); at++) {
    const name = `${prefix}-${at}`;
    const body = { name, secret: { type: "string", value: secretOf(name) } };
    const { status } = await world.as(world.owner, "POST", `/api/v1/projects/${world.projectId}/keys`, body);
    expect([201, 503]).toContain(status);
    if (status === 201) stored++;
  }
  return stored;
}

const sealing = (method: string, path: string, body?: unknown) =>
  world.as(world.owner, method, `/api/v1/sealing${path}`, body);

/** Another run of the whole, over the API, which may meet any state. */
async function rotateByApi(change: { from: string; to: string }): Promise<void> {
  expect((await sealing("POST", "/switch", change)).status).toBe(200);
  for (let after: string | null = null; ; ) {
    const { status, body } = await sealing("POST", "/reseal", { after });
    expect(status).toBe(200);
    if (body.next === null) return;
    after = body.next;
  }
}

/** The command, killed where it says; `on` hears when it is about to switch. */
async function killedCommand([path, when]: (typeof killPoints)[number], onSwitch: () => void): Promise<void> {
  let isKilled = false;
  const proxy = await between((asked, at) => {
    if (asked.endsWith("/switch")) onSwitch();
    if (!asked.endsWith(path) || at !== when) return;
    isKilled = true;
    command.kill("SIGKILL");
  });
  const env = { SIGNALBOX_URL: proxy.url, SIGNALBOX_TOKEN: world.owner };
  const command = startSignalbox(["rotate", "sealing-key", "--no-escrow"], env);
  const { code, stderr } = await command.ended;
  expect([isKilled, code], stderr).toEqual([true, null]);
  proxy.close();
}

it("under writers and two other runs, with commands killed at the switch and at their first batch, every row opens", async () => {
  const next = newSealingKey();
  await harness.deploy({ ACCESS_KEY_ENCRYPTION: next, ACCESS_KEY_ENCRYPTION_2: current });
  const { seals_with: from, items } = (await sealing("GET", "")).body;
  const to = items.find((key: { state: string }) => key.state === "new").key_id;
  let isOver = false;
  const writers: Promise<number>[] = [];
  const others: Promise<void>[] = [];
  // A command is about to switch: so is everybody else from now on.
  const begin = () => {
    if (writers.length > 0) return;
    for (let each = 0; each < 4; each++) writers.push(write(`w${each}`, () => isOver));
    for (let each = 0; each < 2; each++) others.push(rotateByApi({ from, to }));
  };
  await Promise.all(killPoints.map((point) => killedCommand(point, begin)));
  await Promise.all(others);
  await rotateByApi({ from, to });
  isOver = true;
  const stored = (await Promise.all(writers)).reduce((sum, count) => sum + count, keyCount);
  expect(stored).toBeGreaterThan(keyCount);
  expect(await everyRowOpens(next)).toBe(stored);
  const old = (await sealing("GET", "")).body.items.find(({ key_id }: { key_id: string }) => key_id === from);
  expect(old).toMatchObject({ state: "safe_to_remove", access_keys: 0 });
});
