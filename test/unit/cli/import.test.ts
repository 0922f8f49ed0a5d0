/** What an import takes from a Semaphore UI database, in each form that it may have. */
import { createCipheriv, createHash, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSecret, parseCipherKey, type SourceCipherKey } from "../../../src/cli/import/open-secret.ts";
import { keyId, nameFrom, parseMapping, planImport } from "../../../src/cli/import/plan.ts";
import { readBolt, readDatabase, readDump } from "../../../src/cli/import/read-database.ts";
import { repositoryFrom } from "../../../src/cli/import/repository.ts";
import type { Source, SourceKey } from "../../../src/cli/import/rows.ts";

const keyText = "hHYgPrhQTZYm7UFTvcdNfKJMB3wtAXtJENUButH+DmM=";
const vector = "AAECAwQFBgcICQoLvZv3pOlAJ07VcXaLPHbO+v3ypXIoW/s99H1/uGAxCijJzTJkUh9zqPMIRV3rcB7pJB7p21xmAMdMSRXBZw==";
const key = cipherKey(keyText);
const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();

function cipherKey(text: string): SourceCipherKey {
  const parsed = parseCipherKey(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

function encrypt(plain: string, bytes = key.bytes): string {
  const nonce = createHash("sha256").update(plain).digest().subarray(0, 12);
  const cipher = createCipheriv(`aes-${bytes.length * 8}-gcm` as "aes-256-gcm", bytes, nonce);
  return Buffer.concat([nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

const row = (type: string, secret: string, over: Partial<SourceKey> = {}): SourceKey => ({
  ...{ id: 1, projectId: 1, name: "k", type, secret, plain: "", environmentId: null, userId: null, external: false },
  ...over,
});

const clear = (text: string) => Buffer.from(text).toString("base64");
const encrypted = (secret: object) => ({ secret, unencrypted: false });
const unencrypted = (secret: object) => ({ secret, unencrypted: true });

test("the published vector opens, with and without the id of its key", () => {
  expect(key.id).toBe("e3LMEojcHgc");
  const opened = encrypted({ type: "login_password", login: "root", password: "p<w&d" });
  expect(openSecret(row("login_password", vector), [key])).toEqual(opened);
  expect(openSecret(row("login_password", `e3LMEojcHgc:${vector}`), [key])).toEqual(opened);
});

test("keys of 16 and 24 bytes open too, and the right one of several is found", () => {
  for (const length of [16, 24]) {
    const other = cipherKey(Buffer.alloc(length, 5).toString("base64"));
    const sealed = encrypt("value", other.bytes);
    expect(openSecret(row("string", sealed), [key, other])).toEqual(encrypted({ type: "string", value: "value" }));
  }
});

test("what lay unencrypted is taken, and named so", () => {
  const login = unencrypted({ type: "login_password", login: "l", password: "p" });
  expect(openSecret(row("ssh", pem), [key])).toEqual(unencrypted({ type: "ssh", private_key: pem }));
  expect(openSecret(row("login_password", clear('{"login":"l","password":"p"}')), [])).toEqual(login);
  expect(openSecret(row("string", "", { plain: "v" }), [key])).toEqual(unencrypted({ type: "string", value: "v" }));
});

test("what does not open is told with its reason, and never taken for plaintext", () => {
  const altered = Buffer.from(vector, "base64");
  altered.writeUInt8(altered.readUInt8(20) ^ 1, 20);
  const other = cipherKey(Buffer.alloc(32, 9).toString("base64"));
  for (const type of ["ssh", "login_password", "string"]) {
    expect(openSecret(row(type, altered.toString("base64")), [key])).toMatch(/none of the keys/);
    expect(openSecret(row(type, vector), [other])).toMatch(/none of the keys/);
    expect(openSecret(row(type, `e3LMEojcHgc:${vector}`), [other])).toMatch(/under the key e3LMEojcHgc, not given/);
    expect(openSecret(row(type, ""), [key])).toBe("holds no secret");
    expect(openSecret(row(type, "%%"), [key])).toMatch(/neither base64/);
  }
  expect(openSecret(row("string", pem), [key])).toMatch(/only a raw private key/);
  expect(openSecret(row("string", "", { external: true }), [key])).toMatch(/external store/);
  expect(openSecret(row("gpg", vector), [key])).toMatch(/not known/);
});

test("an encryption key is read from its own text or a configuration, and a bad one is named", () => {
  expect(parseCipherKey(`${keyText}\n`)).toEqual(key);
  expect(parseCipherKey(JSON.stringify({ access_key_encryption: keyText }))).toEqual(key);
  expect(parseCipherKey(Buffer.alloc(48).toString("base64"))).toMatch(/48 bytes/);
  expect(parseCipherKey("no base64!")).toMatch(/no standard base64/);
});

const schema = `
  CREATE TABLE project (id integer primary key, name text);
  CREATE TABLE project__environment (id integer primary key, name text, project_id int);
  CREATE TABLE project__repository (id integer primary key, project_id int, git_url text);
  CREATE TABLE access_key (id integer primary key, name text, type text, project_id int, secret text, environment_id int, user_id int);`;
const keyRows = [
  { id: 1, name: "Deploy Key", type: "ssh", project_id: 1, secret: encrypt(JSON.stringify({ private_key: pem })) },
  { id: 2, name: "deploy key", type: "login_password", project_id: 1, secret: `${key.id}:${vector}` },
  { id: 3, name: "env.API_TOKEN", type: "string", project_id: 1, secret: encrypt("canary"), environment_id: 4 },
  { id: 4, name: "None", type: "none", project_id: 1, secret: null },
  { id: 5, name: "ancient", type: "ssh", project_id: 1, secret: pem },
  { id: 6, name: "orphan", type: "string", project_id: null, secret: encrypt("x") },
  { id: 7, name: "mine", type: "string", project_id: 1, secret: encrypt("x"), user_id: 1 },
  { id: 8, name: "broken", type: "ssh", project_id: 1, secret: encrypt('{"private_key":"canary"}') },
];
const quote = (value: unknown) =>
  typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value ?? "NULL");
const inserts = [
  "INSERT INTO project VALUES (1, 'My App');",
  "INSERT INTO project__environment VALUES (4, 'Prod', 1);",
  "INSERT INTO project__repository VALUES (2, 1, 'git@git.example.com:acme/app.git');",
  ...keyRows.map((found) => {
    const values = [found.id, found.name, found.type, found.project_id, found.secret];
    return `INSERT INTO access_key VALUES (${[...values, found.environment_id, found.user_id].map(quote).join()});`;
  }),
].join("\n");
const bolt = JSON.stringify({
  project: { "0000000001": { id: 1, name: "My App" } },
  project__environment_0000000001: { "0000000004": { id: 4, name: "Prod", project_id: 1 } },
  project__repository_0000000001: {
    "0000000002": JSON.stringify({ id: 2, project_id: 1, git_url: "git@git.example.com:acme/app.git" }),
  },
  access_key_0000000001: Object.fromEntries(keyRows.map((found) => [String(found.id).padStart(10, "0"), found])),
  user: { "0000000001": { id: 1, name: "not read" } },
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "signalbox-import-"));
  const db = new DatabaseSync(join(folder, "sqlite"));
  db.exec(schema + inserts);
  db.close();
  writeFileSync(join(folder, "dump"), `BEGIN TRANSACTION;${schema}${inserts}COMMIT;`);
  writeFileSync(join(folder, "bolt"), bolt);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plan = (source: Source, projects: string[] = []) =>
  planImport(source, { sourceId: "s", mapping: parseMapping(projects), keys: [key] });

test.each(["sqlite", "dump", "bolt"])(
  "a database as %s is planned whole, every row with its name or reason",
  async (form) => {
    const source = await readDatabase(join(folder, form));
    const planned = plan(source);
    expect(planned.map(({ sourceId, name, problem }) => [sourceId, problem === null ? name : problem])).toEqual([
      [6, "belongs to no project"],
      [1, "deploy-key"],
      [2, "deploy-key-2"],
      [3, "prod.env.api_token"],
      [4, "none"],
      [5, "ancient"],
      [7, "is a user's personal key"],
      [8, "secret.private_key must be a private key in PEM or OpenSSH form"],
    ]);
    expect(new Set(planned.map(({ project }) => project))).toEqual(new Set(["", "my-app"]));
    expect(planned.filter((found) => found.unencrypted).map(({ sourceId }) => sourceId)).toEqual([5]);
    expect(planned.find(({ sourceId }) => sourceId === 3)?.body?.secret).toEqual({ type: "string", value: "canary" });
    expect(source.projects.get(1)?.gitUrl).toBe("git@git.example.com:acme/app.git");
  },
);

test("a dump of access_key alone needs a mapping, by number, for its projects have no names", () => {
  const source = readDump(`${schema.slice(schema.indexOf("CREATE TABLE access_key"))}
    INSERT INTO access_key VALUES (1, 'a', 'none', 1, NULL, NULL, NULL);`);
  expect(plan(source)[0]?.problem).toMatch(/map it by --project/);
  expect(plan(source, ["1=here"])[0]).toMatchObject({ project: "here", problem: null });
  expect(plan(source, ["all"])[0]).toMatchObject({ project: "all", problem: null });
});

test("a dump cannot reach the files of this machine", () => {
  const victim = join(folder, "victim");
  for (const sql of [`ATTACH '${victim}' AS v; CREATE TABLE v.t (x);`, `VACUUM INTO '${victim}';`]) {
    expect(() => readDump(schema + sql)).toThrow();
    expect(existsSync(victim)).toBe(false);
  }
});

test("a dump that was cut within a private key is refused without quoting it", () => {
  const cut = `${schema} INSERT INTO access_key VALUES (1, 'a', 'ssh', 1, '-----BEGIN canary`;
  expect(() => readDump(cut)).toThrow("it is no dump that SQLite, mysqldump or pg_dump would write");
});

test("what is no such database is refused with a reason", () => {
  expect(() => readDump("CREATE TABLE other (x);")).toThrow(/no table access_key/);
  expect(() => readBolt('{"user":{}}')).toThrow(/no bucket/);
  expect(() => readBolt("{")).toThrow(/no JSON/);
  expect(() => readBolt('{"access_key_0000000001":{"1":"x"}}')).toThrow(/no JSON object/);
});

test("a row's id is the same each time, and another for each source, project and key", () => {
  expect(keyId("s", "here", 1, 2)).toBe(keyId("s", "here", 1, 2));
  const ids = [keyId("s", "here", 1, 2), keyId("t", "here", 1, 2), keyId("s", "there", 1, 2), keyId("s", "here", 2, 1)];
  expect(new Set(ids).size).toBe(4);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("names become names, and a repository's address loses its credential", () => {
  expect(nameFrom("  Clé de Déploiement! ")).toBe("cle-de-deploiement");
  expect(nameFrom("日本")).toBe("");
  const made = { name: "app", slug: "acme/app" };
  const https = repositoryFrom("https://robot:canary@git.example.com/acme/App.git");
  expect(https).toEqual({ name: "app", slug: "acme/App", url: "https://git.example.com/acme/App.git" });
  expect(repositoryFrom("git@git.example.com:acme/app.git")).toEqual({
    ...made,
    url: "ssh://git.example.com/acme/app.git",
  });
  expect(repositoryFrom("/srv/repository")).toBeNull();
});
