/** `signalbox agent-type certificates`: what it asks of the API, and what it says of the answers. */
import { expect, test } from "vitest";
import { at, eachTest, id } from "./fixtures.ts";

const site = eachTest();

const [fingerprint, another] = ["a1".repeat(32), "b2".repeat(32)] as [string, string];
const policy = { project_ids: [id], refs: "protected", forks: false };
const made = { revision: 3, created_at: at, created_by: id };
const open = { id, name: "local", policy, certificates: null, ...made };
const closed = { ...open, certificates: [fingerprint, another], revision: 4 };
const path = `/api/v1/agent-types/${id}`;
const found = (type: object) => ({ "GET /api/v1/agent-types": { items: [type], next: null } });
const certificates = (table: Record<string, unknown>, ...argv: string[]) =>
  site.withApi(table, ["agent-type", "certificates", "local", ...argv]);
const patches = () => site.asked().filter(({ method }) => method === "PATCH");

test("--set takes what openssl prints, replaces the list on top of the revision that it read, and shows it", async () => {
  const printed = `sha256 Fingerprint=${fingerprint.toUpperCase().match(/../g)?.join(":")}`;
  const table = { ...found(open), [`PATCH ${path}`]: closed };
  const { code, stdout } = await certificates(table, "--set", printed, "--set", another);
  expect([code, stdout.split("\n").slice(1)]).toEqual([0, [fingerprint, another, ""]]);
  expect(patches().map(({ body, ifMatch }) => [body, ifMatch])).toEqual([
    [{ certificates: [fingerprint, another] }, '"3"'],
  ]);
});

test("--clear asks for none", async () => {
  const { code, stdout } = await certificates({ ...found(closed), [`PATCH ${path}`]: open }, "--clear");
  expect([code, stdout]).toEqual([0, "agents of local need no client certificate\n"]);
  expect(patches().map(({ body, ifMatch }) => [body, ifMatch])).toEqual([[{ certificates: null }, '"4"']]);
});

test("without either it shows the list, and changes nothing", async () => {
  const { stdout } = await certificates(found(closed));
  expect([stdout.split("\n").slice(1, 3), patches()]).toEqual([[fingerprint, another], []]);
  const { stdout: json } = await certificates(found(closed), "--json");
  expect(JSON.parse(json)).toEqual(closed);
  const { stdout: list } = await site.withApi(found(closed), ["agent-type", "list"]);
  expect(list.split("\n").map((line) => line.split(/ {2,}/)[3])).toEqual(["CERTIFICATES", "2", undefined]);
});

test.each([
  ["a SHA-1 fingerprint", ["--set", "a1".repeat(20)]],
  ["what is no hexadecimal", ["--set", "g1".repeat(32)]],
  ["both at once", ["--set", fingerprint, "--clear"]],
])("%s is a mistake of the command line, before anything is asked", async (_, argv) => {
  const { code } = await certificates(found(open), ...argv);
  expect([code, site.asked()]).toEqual([2, []]);
});
