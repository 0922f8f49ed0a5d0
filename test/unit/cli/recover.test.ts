/** `signalbox recover` as its user runs it, on an export whose records the Worker's own sealing made. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readExport } from "../../../src/cli/recover/read-export.ts";
import { seal } from "../../../src/worker/crypto/sealing.ts";
import { parseSealingKey } from "../../../src/worker/crypto/sealing-key.ts";
import { systemRandom, toHex, utf8 } from "../../../src/worker/lib/bytes.ts";

const root = join(import.meta.dirname, "../../..");
const keyText = Buffer.alloc(32, 7).toString("base64");
const secret = '{"type":"string","value":"pünktlich\\n"}';
// Each runs whole processes, beside everything else that runs.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let dump: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "signalbox-recover-"));
  writeFileSync(at("key"), `${keyText}\n`);
  dump = await exported();
  writeFileSync(at("dump.sql"), dump);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Tables and rows first, triggers last, as D1 exports them. */
async function exported(): Promise<string> {
  const key = await parseSealingKey("ACCESS_KEY_ENCRYPTION", keyText);
  if (typeof key === "string") throw new Error(key);
  const bound = { purpose: "access_key", projectId: "p1", recordId: "k1", secretVersion: 3, type: "string" } as const;
  const hex = toHex(await seal(key, utf8(secret), bound, systemRandom));
  const organization = toHex(await seal(key, utf8(secret), { ...bound, projectId: "", recordId: "k2" }, systemRandom));
  return `PRAGMA defer_foreign_keys=TRUE;
CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT);
CREATE TABLE access_keys (id TEXT PRIMARY KEY, project_id TEXT REFERENCES projects (id), name TEXT, type TEXT, sealed BLOB, secret_version INTEGER);
INSERT INTO "access_keys" VALUES('k1','p1','deploy','string',X'${hex}',3);
INSERT INTO "access_keys" VALUES('k2',NULL,'shared','string',X'${organization}',3);
INSERT INTO "access_keys" VALUES('k3','p1','moved','string',X'${hex}',3);
INSERT INTO "projects" VALUES('p1','demo');
CREATE TRIGGER t BEFORE INSERT ON access_keys BEGIN SELECT RAISE(ABORT, 'stale sealing key'); END;`;
}

const recover = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, "src/cli/main.ts"), "recover", "--export", at("dump.sql"), ...args], {
    encoding: "utf8",
  });

test("recover gives back the bytes that were stored, into a file of the operator's alone", () => {
  for (const name of ["deploy", "shared"]) {
    const ended = recover("--key-file", at("key"), "--key", name, "--output", at(name));
    expect(ended.status, ended.stderr).toBe(0);
    expect(ended.stdout + ended.stderr).not.toContain("pünktlich");
    expect(JSON.parse(readFileSync(at(name), "utf8"))).toMatchObject([{ name, secret: JSON.parse(secret) }]);
    expect(statSync(at(name)).mode & 0o777).toBe(0o600);
  }
});

test("a record that was moved to another row does not open, and the exit code says so", () => {
  const ended = recover("--key-file", at("key"));
  expect(ended.status).toBe(1);
  expect(ended.stdout).toContain("was altered or moved");
  expect(ended.stderr).toContain("2 of 3 keys open");
});

test("another sealing key, and one of a wrong length, are named and open nothing", () => {
  writeFileSync(at("other"), Buffer.alloc(32, 8).toString("base64"));
  writeFileSync(at("short"), Buffer.alloc(24, 8).toString("base64"));
  expect(recover("--key-file", at("other"), "--key", "deploy").stdout).toContain("not given");
  const short = recover("--key-file", at("short"));
  expect([short.status, short.stderr]).toEqual([2, expect.stringContaining("holds 24 bytes where 32 are needed")]);
});

test("an export that would write a file, change the engine or load code is refused and leaves nothing behind", () => {
  const target = at("written.db");
  const hostile = [
    `ATTACH '${target}' AS x; CREATE TABLE x.t (a)`,
    `VACUUM INTO '${target}'`,
    `PRAGMA temp_store_directory='${folder}'`,
    "PRAGMA writable_schema=ON",
    "DETACH main",
    "SELECT load_extension('x.so')",
    "CREATE VIRTUAL TABLE v USING fts5(a)",
  ];
  for (const statement of hostile) {
    expect(() => readExport(`${statement};\n${dump}`, []), statement).toThrow(/not authorized|authorization denied/);
    expect(existsSync(target), statement).toBe(false);
  }
  expect(readExport(dump, [])).toHaveLength(3);
});

test("what recover opens with imports nothing of the Worker", () => {
  const sources = execFileSync("grep", ["-rh", 'from "', join(root, "src/cli/recover")], { encoding: "utf8" });
  expect(sources).not.toContain("worker");
});
