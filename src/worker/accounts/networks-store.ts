/** Allowed networks in D1: one row, of the whole organization. */
import type { NetworkLists, Networks } from "../../protocol/networks.ts";
import { must } from "../lib/d1.ts";

interface NetworksRow {
  people: string | null;
  agents: string | null;
  viewers: string | null;
  revision: number;
}

export async function loadNetworks(db: D1Database): Promise<Networks> {
  return toNetworks((await selectNetworks(db).first()) ?? undefined);
}

/** For a batch; `toNetworks` reads its row. */
export function selectNetworks(db: D1Database): D1PreparedStatement {
  return db.prepare("SELECT people, agents, viewers, revision FROM networks");
}

export function toNetworks(row: Record<string, unknown> | undefined): Networks {
  // Without its row nobody knows who may come: the migration puts it.
  if (row === undefined) throw new Error("the row of allowed networks is missing");
  const { people, agents, viewers, revision } = row as unknown as NetworksRow;
  return { people: toList(people), agents: toList(agents), viewers: toList(viewers), revision };
}

/** For a batch, which aborts unless `revision` is still the stored one. */
export function replaceNetworks(db: D1Database, lists: NetworkLists, revision: number): D1PreparedStatement[] {
  const { people, agents, viewers } = lists;
  return [
    must(db, "SELECT 1 FROM networks WHERE revision = ?", revision),
    db
      .prepare("UPDATE networks SET people = ?, agents = ?, viewers = ?, revision = revision + 1")
      .bind(toText(people), toText(agents), toText(viewers)),
  ];
}

export function clearNetworks(db: D1Database): D1PreparedStatement {
  return db.prepare("UPDATE networks SET people = NULL, agents = NULL, viewers = NULL, revision = revision + 1");
}

function toList(text: string | null): string[] | null {
  return text === null ? null : (JSON.parse(text) as string[]);
}

function toText(list: readonly string[] | null): string | null {
  return list === null ? null : JSON.stringify(list);
}
