/** What an import reads from a Semaphore UI database, whatever form the database has. */

/** A row of `access_key`, its secret as it is stored. */
export interface SourceKey {
  readonly id: number;
  readonly projectId: number | null;
  readonly name: string;
  readonly type: string;
  readonly secret: string;
  /** Newer versions keep a secret that was never sealed in a column of its own. */
  readonly plain: string;
  /** Set on the secrets of a variable group. */
  readonly environmentId: number | null;
  /** Set on a user's personal keys. */
  readonly userId: number | null;
  /** The secret lies in an external store. */
  readonly external: boolean;
}

export interface SourceProject {
  readonly name: string;
  /** Where its first repository is cloned from; null where it has none. */
  readonly gitUrl: string | null;
}

export interface Source {
  readonly keys: readonly SourceKey[];
  readonly projects: ReadonlyMap<number, SourceProject>;
  /** Names of variable groups. */
  readonly environments: ReadonlyMap<number, string>;
}

export type Columns = Readonly<Record<string, unknown>>;

/** The rows of the four tables that matter, as columns. */
export interface Tables {
  readonly access_key: readonly Columns[];
  readonly project: readonly Columns[];
  readonly project__environment: readonly Columns[];
  readonly project__repository: readonly Columns[];
}

export const tableNames = ["access_key", "project", "project__environment", "project__repository"] as const;

/** @throws where a row has no usable id. */
export function sourceOf(tables: Tables): Source {
  const repositories = [...tables.project__repository].sort((a, b) => idOf(a) - idOf(b));
  const gitUrl = (project: number) => repositories.find((row) => numberOf(row.project_id) === project)?.git_url;
  return {
    keys: tables.access_key.map(keyOf).sort((a, b) => (a.projectId ?? 0) - (b.projectId ?? 0) || a.id - b.id),
    projects: new Map(
      tables.project.map((row) => [idOf(row), { name: textOf(row.name), gitUrl: textOf(gitUrl(idOf(row))) || null }]),
    ),
    environments: new Map(tables.project__environment.map((row) => [idOf(row), textOf(row.name)])),
  };
}

function keyOf(row: Columns): SourceKey {
  return {
    id: idOf(row),
    projectId: numberOf(row.project_id),
    name: textOf(row.name),
    type: textOf(row.type),
    secret: textOf(row.secret),
    plain: textOf(row.plain),
    environmentId: numberOf(row.environment_id),
    userId: numberOf(row.user_id),
    external: numberOf(row.source_storage_id) !== null,
  };
}

function idOf(row: Columns): number {
  const id = numberOf(row.id);
  if (id === null) throw new Error("a row has no whole number as its id");
  return id;
}

function numberOf(value: unknown): number | null {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : null;
}

/** MySQL's dumps hold text as blobs too. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  return typeof value === "string" ? value : "";
}
