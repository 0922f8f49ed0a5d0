/** Showing and changing the allowed networks. */
import type { AddressProof } from "../../protocol/address-proofs.ts";
import type { NetworkLists, Networks, NetworksPatch, NetworksShown } from "../../protocol/networks.ts";
import type { Person } from "../../protocol/principal.ts";
import { auditRow } from "../audit/audit.ts";
import { insertAudit } from "../audit/audit-store.ts";
import { isGuardFailure } from "../lib/d1.ts";
import { Fault, refusedField } from "../lib/fault.ts";
import type { Clock } from "../lib/time.ts";
import { allows, checkRanges } from "./networks.ts";
import { loadNetworks, replaceNetworks } from "./networks-store.ts";
import { requireMay } from "./permissions.ts";

export interface NetworkSettingsPorts {
  readonly db: D1Database;
  readonly clock: Clock;
  /** Behind a proxy of one's own a list is taken only while a proof holds that no forged address arrives. */
  readonly trustProxy: boolean;
  lastProof(): Promise<AddressProof | null>;
  /** Called once a change is stored. */
  changed(): void;
}

/** A change that is asked for: from which address, and on top of which revision (null: of any). */
export interface NetworksChange {
  readonly patch: NetworksPatch;
  readonly address: string | null;
  readonly revision: number | null;
}

export interface NetworkSettings {
  show(person: Person): Promise<NetworksShown>;
  /**
   * @throws Fault `invalid_request` for a range that is none; `refused` for a list under TRUST_PROXY while no proof
   *   holds, and for one that would shut its author out unless forced; `precondition_failed`.
   */
  change(person: Person, change: NetworksChange): Promise<NetworksShown>;
}

export function createNetworkSettings(ports: NetworkSettingsPorts): NetworkSettings {
  return {
    async show(person) {
      requireMay(person, "networks.read", null);
      return shown(ports, await loadNetworks(ports.db));
    },
    async change(person, change) {
      requireMay(person, "networks.change", null);
      return shown(ports, await changeNetworks(ports, person, change));
    },
  };
}

async function shown({ trustProxy, lastProof }: NetworkSettingsPorts, networks: Networks): Promise<NetworksShown> {
  return { ...networks, trust_proxy: trustProxy, address_proof: await lastProof() };
}

async function changeNetworks(ports: NetworkSettingsPorts, person: Person, change: NetworksChange): Promise<Networks> {
  const { db, clock } = ports;
  const { force, ...named } = change.patch;
  checkRanges(named);
  await refuseUnproven(ports, named);
  if (!force && named.people !== undefined) refuseShutOut(named.people, change.address);
  const stored = await loadNetworks(db);
  if (change.revision !== null && change.revision !== stored.revision) throw changedSince();
  const lists: NetworkLists = {
    people: named.people === undefined ? stored.people : named.people,
    agents: named.agents === undefined ? stored.agents : named.agents,
    viewers: named.viewers === undefined ? stored.viewers : named.viewers,
  };
  const details = { lists: JSON.stringify(lists), revision: stored.revision + 1, force };
  const audit = await auditRow({ action: "networks.change", principal: person, details }, clock());
  try {
    await db.batch([...replaceNetworks(db, lists, stored.revision), insertAudit(db, audit)]);
  } catch (error) {
    throw isGuardFailure(error) ? changedSince() : error;
  }
  ports.changed();
  return { ...lists, revision: stored.revision + 1 };
}

/** Taking lists away stays possible: they may stem from before the proxy, or from a proof that has lapsed. */
async function refuseUnproven(
  { trustProxy, lastProof }: NetworkSettingsPorts,
  named: Omit<NetworksPatch, "force">,
): Promise<void> {
  const field = Object.entries(named).find(([, list]) => list != null)?.[0];
  if (!trustProxy || field === undefined) return;
  const why = whyUnproven(await lastProof());
  if (why === null) return;
  throw refusedField(
    `/${field}`,
    `under TRUST_PROXY the address is a header, and ${why}: run signalbox doctor URL --prove-addresses`,
  );
}

function whyUnproven(proof: AddressProof | null): string | null {
  if (proof === null) return "nothing has shown that the proxy lets no forged one through";
  if (proof.holds) return null;
  if (proof.verdict === "disproven") return `a forged one came through the proxy on ${proof.at}`;
  return `the proof of ${proof.at}, for ${proof.issuer}, no longer holds`;
}

function refuseShutOut(people: readonly string[] | null, address: string | null): void {
  if (allows(people, address)) return;
  const from = address === null ? "you come from no known address" : `you come from ${address}, which is not in it`;
  throw refusedField("/people", `would shut you out: ${from}; "force": true (--force) sets it all the same`);
}

function changedSince(): Fault {
  return new Fault("precondition_failed", "the allowed networks have changed since you read them: read them again");
}
