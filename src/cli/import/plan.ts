/** What an import will do with each row: decided before anything is sent, from what was read alone. */
import { createHash } from "node:crypto";
import type * as z from "zod";
import { AccessKeyCreate } from "../../protocol/access-keys.ts";
import { parse } from "../../protocol/parse.ts";
import { openSecret, type SourceCipherKey } from "./open-secret.ts";
import type { Source, SourceKey } from "./rows.ts";

/** One row of the source. It is taken where `body` is set; else `problem` says why not. */
export interface PlannedKey {
  readonly sourceProject: string;
  readonly sourceId: number;
  readonly sourceName: string;
  readonly type: string;
  /** The project here. */
  readonly project: string;
  readonly name: string;
  readonly unencrypted: boolean;
  readonly body: Body | null;
  readonly problem: string | null;
}

export type Body = z.output<typeof AccessKeyCreate> & { id: string };

/** Where the keys of the source's projects go. */
export interface Mapping {
  /** By the source's name or number of a project. */
  readonly byProject: ReadonlyMap<string, string>;
  /** Where all others go; null: to the project of the same name. */
  readonly others: string | null;
}

export interface Choices {
  /** Tells two installations of Semaphore UI apart. */
  readonly sourceId: string;
  readonly mapping: Mapping;
  readonly keys: readonly SourceCipherKey[];
}

/** `--project NAME` and `--project THEIRS=HERE`. */
export function parseMapping(given: readonly string[]): Mapping {
  const pairs = given.filter((text) => text.includes("="));
  return {
    byProject: new Map(
      pairs.map((text) => [text.slice(0, text.lastIndexOf("=")), text.slice(text.lastIndexOf("=") + 1)]),
    ),
    others: given.find((text) => !text.includes("=")) ?? null,
  };
}

/** The project here that a project of the source goes to; "" where nothing says so. */
export function targetOf(source: Source, projectId: number, mapping: Mapping): string {
  const name = source.projects.get(projectId)?.name;
  const mapped = mapping.byProject.get(name ?? "") ?? mapping.byProject.get(String(projectId));
  return mapped ?? mapping.others ?? (name === undefined ? "" : nameFrom(name));
}

export function planImport(source: Source, choices: Choices): PlannedKey[] {
  const taken = new Set<string>();
  return source.keys.map((row) => {
    const planned = planKey(source, row, choices, taken);
    if (planned.body !== null) taken.add(`${planned.project}/${planned.name}`);
    return planned;
  });
}

function planKey(source: Source, row: SourceKey, choices: Choices, taken: ReadonlySet<string>): PlannedKey {
  const project = row.projectId === null ? "" : targetOf(source, row.projectId, choices.mapping);
  const shown = {
    sourceProject: row.projectId === null ? "" : (source.projects.get(row.projectId)?.name ?? String(row.projectId)),
    sourceId: row.id,
    sourceName: row.name,
    type: row.type,
    project,
    name: uniqueName(source, row, (name) => taken.has(`${project}/${name}`)),
  };
  const left = (problem: string) => ({ ...shown, unencrypted: false, body: null, problem });
  if (row.userId !== null) return left("is a user's personal key");
  if (row.projectId === null) return left("belongs to no project");
  if (project === "") return left(`belongs to project ${row.projectId}, whose name is not there: map it by --project`);
  const opened = openSecret(row, choices.keys);
  if (typeof opened === "string") return left(opened);
  const id = keyId(choices.sourceId, project, row.projectId, row.id);
  const body = parse(AccessKeyCreate, { id, name: shown.name, secret: opened.secret });
  if (!body.success) return left(body.misfits.map(({ path, detail }) => `${path.join(".")} ${detail}`).join("; "));
  return { ...shown, unencrypted: opened.unencrypted, body: { ...body.data, id }, problem: null };
}

/** A variable group's secret is named after its group too: groups repeat the names of their secrets. */
function uniqueName(source: Source, row: SourceKey, isTaken: (name: string) => boolean): string {
  const group = row.environmentId === null ? "" : (source.environments.get(row.environmentId) ?? row.environmentId);
  const name = nameFrom(group === "" ? row.name : `${group}.${row.name}`) || `key-${row.id}`;
  return isTaken(name) ? `${name.slice(0, 62 - String(row.id).length)}-${row.id}` : name;
}

/** A free-form name as names are here: `Deploy Key` becomes `deploy-key`. */
export function nameFrom(text: string): string {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 63)
    .replace(/-+$/, "");
}

/**
 * The same row always gets the same id, so that a second import finds what the first made: a digest in the form of
 * a UUID version 8 (RFC 9562 section 5.8).
 */
export function keyId(sourceId: string, project: string, sourceProject: number, sourceKey: number): string {
  const named = JSON.stringify(["signalbox/import/semaphore-ui/v1", sourceId, project, sourceProject, sourceKey]);
  const bytes = createHash("sha256").update(named).digest().subarray(0, 16);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
