/** Whether somebody keeps a copy of the key that seals. */
import * as z from "zod";
import { parseJson } from "../../client/errors.ts";
import { SealingStatus } from "../../protocol/sealing.ts";
import { exchange, type Trust } from "./exchange.ts";
import { type Finding, ok, warning } from "./finding.ts";

const check = "sealing key";

/** Null where the token may not read it: that takes an owner's. */
export async function checkEscrow(base: URL, trust: Trust, token: string): Promise<Finding | null> {
  const { body } = await exchange(new URL("/api/v1/sealing", base), trust, { token });
  const shown = z.safeParse(SealingStatus, parseJson(body));
  if (!shown.success) return null;
  const { seals_with, items } = shown.data;
  const escrow = items.find(({ key_id }) => key_id === seals_with)?.escrow ?? null;
  if (escrow !== null && escrow.how !== "declined") return ok(check, `a copy is kept since ${escrow.at.slice(0, 10)}`);
  const detail =
    escrow === null ? `nobody has said that a copy of ${seals_with} is kept` : `no copy of ${seals_with} is kept`;
  return warning(
    check,
    `${detail}: what is sealed is lost with its binding`,
    "signalbox sealing escrow --key-file FILE",
  );
}
