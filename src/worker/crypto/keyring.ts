/**
 * Which sealing key seals and which may open: two slots of equal rank held in secret bindings, and what the
 * database says of them. Nothing here reads the database; sealing-store.ts brings its word.
 */
import { type Bytes, type Random, toHex } from "../lib/bytes.ts";
import { bindingUnusable, Fault } from "../lib/fault.ts";
import { open, type SealContext, seal, sealedUnder, unreadable } from "./sealing.ts";
import { parseSealingKey, type SealingKey } from "./sealing-key.ts";

/** A binding that is missing or malformed, in words that never quote it. */
export interface BindingProblem {
  readonly binding: string;
  readonly detail: string;
}

/** The sealing keys that this isolate holds. */
export interface HeldKeys {
  readonly keys: readonly SealingKey[];
  readonly problems: readonly BindingProblem[];
}

/** What the database says: key ids in hex. */
export interface SealingState {
  /** The key that seals; null before bootstrap. */
  readonly sealsWith: string | null;
  /** Every key ever brought in by bootstrap or rotation, with its self-test record. */
  readonly listed: ReadonlyMap<string, Bytes>;
}

export async function parseHeldKeys(slots: readonly (readonly [binding: string, text: string | undefined])[]) {
  const keys: SealingKey[] = [];
  const problems: BindingProblem[] = [];
  for (const [binding, text] of slots) {
    if (text === undefined || text === "") continue;
    const parsed = await parseSealingKey(binding, text);
    if (typeof parsed === "string") problems.push({ binding, detail: parsed });
    else if (!keys.some((key) => key.idHex === parsed.idHex)) keys.push(parsed);
  }
  const first = slots[0]?.[0] ?? "";
  if (keys.length === 0 && problems.length === 0) problems.push({ binding: first, detail: "is not set" });
  return { keys, problems } satisfies HeldKeys;
}

/**
 * The key that seals now.
 * @throws Fault `binding_unusable` where no slot holds it, or where the held one fails its self-test.
 */
export async function sealingKey(held: HeldKeys, state: SealingState): Promise<SealingKey> {
  if (state.sealsWith === null) throw new Fault("unavailable", "this deployment has no organization yet: bootstrap it");
  const key = heldKey(held, state.sealsWith);
  await selfTest(key, state);
  return key;
}

/**
 * Opens a record with whichever held key sealed it.
 * @throws Fault `sealed_unreadable` for a record that is altered, moved or sealed under a key never listed;
 *   `binding_unusable` where its key is listed but not held here.
 */
export async function openSealed(held: HeldKeys, state: SealingState, record: Uint8Array, context: SealContext) {
  const id = sealedUnder(record);
  if (id === null || !state.listed.has(toHex(id))) throw unreadable();
  return open(heldKey(held, toHex(id)), record, context);
}

/** Opens without the database's word: for a Durable Object, whose records only the Worker writes. */
export async function openHeld(held: HeldKeys, record: Uint8Array, context: SealContext): Promise<Bytes> {
  const id = sealedUnder(record);
  if (id === null) throw unreadable();
  return open(heldKey(held, toHex(id)), record, context);
}

/** The record that later shows whether a binding still holds the key that it claims to hold. */
export function sealSelfTest(key: SealingKey, random: Random): Promise<Bytes> {
  return seal(key, selfTestText, selfTestContext(key), random);
}

/** @throws Fault `binding_unusable` naming the slot to look at. */
function heldKey(held: HeldKeys, idHex: string): SealingKey {
  const key = held.keys.find((candidate) => candidate.idHex === idHex);
  if (key !== undefined) return key;
  const [problem] = held.problems;
  if (problem !== undefined) throw bindingUnusable(problem.binding, problem.detail);
  throw bindingUnusable(
    held.keys[0]?.binding ?? "ACCESS_KEY_ENCRYPTION",
    `does not hold the sealing key ${idHex} that this database uses`,
  );
}

const selfTestText = new TextEncoder().encode("signalbox");

function selfTestContext(key: SealingKey): SealContext {
  return { purpose: "self_test", projectId: "", recordId: key.idHex, secretVersion: 0, type: "" };
}

async function selfTest(key: SealingKey, state: SealingState): Promise<void> {
  const record = state.listed.get(key.idHex);
  try {
    if (record === undefined) throw unreadable();
    await open(key, record, selfTestContext(key));
  } catch (cause) {
    throw new Fault("binding_unusable", `${key.binding} fails its self-test`, { cause });
  }
}
