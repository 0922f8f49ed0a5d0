/** What decides over who may come at all, read in one trip: the allowed networks, and the certificates of agent types. */
import type { Networks } from "../../protocol/networks.ts";
import { selectNetworks, toNetworks } from "../accounts/networks-store.ts";
import { selectCertificates, toCertificates } from "./agent-types-store.ts";
import type { RequiredCertificates } from "./certificate-gate.ts";

export interface Admission {
  readonly networks: Networks;
  readonly certificates: RequiredCertificates;
}

export async function loadAdmission(db: D1Database): Promise<Admission> {
  const [networks, types] = await db.batch<Record<string, unknown>>([selectNetworks(db), selectCertificates(db)]);
  return { networks: toNetworks(networks?.results[0]), certificates: toCertificates(types?.results ?? []) };
}
