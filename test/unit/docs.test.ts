/** What the documents say that code can be asked: a fact is stated once, or compared here. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as z from "zod";
import { FeedHeader, JobChange } from "../../src/protocol/job-changes.ts";
import { limits } from "../../src/protocol/limits.ts";
import { LogEvent } from "../../src/protocol/log-events.ts";
import { closeCodes, FrameHeader, ViewerMessage } from "../../src/protocol/log-frames.ts";
import { permissions } from "../../src/worker/accounts/permissions.ts";
import { Settings } from "../../src/worker/env.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Rows of the table whose header begins with `first`, as lists of cells. */
function table(text: string, first: string): string[][] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${first} |`));
  const end = lines.findIndex((line, at) => at > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

it("docs/limits.md lists every limit with its value", () => {
  const documented = table(read("docs/limits.md"), "name").map(([name, value]) => [name, Number(value)]);
  expect(Object.fromEntries(documented)).toEqual(limits);
});

it("docs/log-protocol.md shows frames and acks that the schemas take, and every close code", () => {
  const text = read("docs/log-protocol.md");
  const lines = [...text.matchAll(/```frames\n([^`]*)```/g)].flatMap(([, block]) => (block ?? "").trim().split("\n"));
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) {
    const schema = line.startsWith("> ") ? ViewerMessage : z.union([FrameHeader, FeedHeader]);
    const said = JSON.parse(line.replace("> ", ""));
    expect(schema.parse(said), line).toEqual(said);
  }
  const codes = table(text, "code").map(([code, name]) => [name, Number(code)]);
  expect(Object.fromEntries(codes)).toEqual(closeCodes);
});

it("docs/log-protocol.md shows a change and each kind of event as the schemas have them", () => {
  const text = read("docs/log-protocol.md");
  const shown = (fence: string) =>
    (new RegExp(`\`\`\`${fence}\\n([^\`]*)\`\`\``).exec(text)?.[1] ?? "")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  expect(shown("change").map((change) => z.strictObject(JobChange.shape).parse(change))).toHaveLength(1);
  const kinds = shown("events").map((event) => LogEvent.parse(event).event);
  expect(kinds).toEqual(LogEvent.options.map((option) => option.shape.event.value));
});

it("docs/permissions.md is the table that the code asks", () => {
  expect(Object.fromEntries(table(read("docs/permissions.md"), "action"))).toEqual(permissions);
});

it("docs/architecture.md lists every operator setting with its default", () => {
  const section = read("docs/architecture.md").split("## Operator settings")[1] ?? "";
  const documented = table(section, "name").map(([name, value]) => [name, Number(value)]);
  expect(Object.fromEntries(documented)).toEqual(Settings.parse({}));
});

it("docs/architecture.md, wrangler.toml and env.ts name the same bindings", () => {
  const section = read("docs/architecture.md").split("## Bindings")[1] ?? "";
  const documented = table(section, "name").map(([name]) => name);
  const inCode = [...read("src/worker/env.ts").matchAll(/readonly ([A-Z][A-Z0-9_]+)\??:/g)].map(([, name]) => name);
  expect(documented.toSorted()).toEqual(inCode.toSorted());
  for (const name of inCode) expect(read("wrangler.toml"), `wrangler.toml names ${name}`).toContain(name);
});

it("docs/architecture.md names every folder of the Worker, and no other", () => {
  const folders = readdirSync(join(root, "src/worker"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const documented = [...read("docs/architecture.md").matchAll(/^\| `src\/worker\/([a-z-]+)` \|/gm)].map(
    ([, name]) => name,
  );
  expect(documented.toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
});

it("docs/architecture.md names files that exist, and every document and guide", () => {
  const page = read("docs/architecture.md");
  const places = table(page, "to find where").map(([, place = ""]) => place);
  const named = places.flatMap((place) => [...place.matchAll(/`([a-z/-]+\.ts)`/g)].map(([, path = ""]) => path));
  expect(named.length).toBeGreaterThan(50);
  const bases = ["src/worker", "src", ""];
  expect(named.filter((path) => !bases.some((base) => existsSync(join(root, base, path))))).toEqual([]);
  const isDocument = (path: string) => path.endsWith(".md") && !/^(architecture\.md|decisions\/)/.test(path);
  const documents = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).filter(isDocument);
  expect(documents.filter((path) => !page.includes(`](${path})`))).toEqual([]);
});

it("docs/architecture.md is right that only *-store.ts names SQL in a domain folder", () => {
  const paths = readdirSync(join(root, "src/worker"), { recursive: true, encoding: "utf8" });
  const inDomains = paths.filter((path) => path.endsWith(".ts") && path.includes("/") && !path.startsWith("lib/"));
  const naming = inDomains.filter((path) =>
    /\b(SELECT|INSERT INTO|DELETE FROM|UPDATE \w+ SET)\b|\.sql\.exec\(/.test(read(join("src/worker", path))),
  );
  expect(naming.length).toBeGreaterThan(10);
  expect(naming.filter((path) => !path.endsWith("-store.ts"))).toEqual([]);
});

it("every npm script that the documents tell a reader to run exists", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const documents = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/guides/deploying.md",
    "docs/guides/behind-a-proxy.md",
  ];
  const named = documents.flatMap((path) =>
    [...read(path).matchAll(/npm run (?:--silent )?([a-z0-9:-]+)/g)].map(([, name]) => name ?? ""),
  );
  expect(named.length).toBeGreaterThan(0);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
});

it("every local link in the documents leads somewhere", () => {
  const documents = [
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/guides/behind-a-proxy.md",
  ];
  for (const path of documents) {
    for (const [, target = ""] of read(path).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      expect(() => read(join(path, "..", target)).length, `${path}: ${target}`).not.toThrow(/ENOENT/);
    }
  }
});

it("docs/storage.md gives the vector that a test opens", () => {
  const vector = JSON.parse(read("test/unit/worker/crypto/sealing-vector.json")) as Record<string, string | number>;
  const page = read("docs/storage.md");
  const unwrapped = page.replaceAll("\n", "");
  for (const [name, value] of Object.entries(vector)) {
    if (name === "sealing_key") continue;
    expect(name === "record" || name === "aad" ? unwrapped : page, name).toContain(String(value));
  }
});

it("package-lock.json has an entry for every optional dependency of every platform: npm refuses to install without", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
  };
  for (const { optionalDependencies = {}, resolved } of Object.values(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      expect(
        Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)),
        name,
      ).toBe(true);
    }
    expect(resolved, "a lock that names a registry's address works with that registry alone").toBeUndefined();
  }
});
