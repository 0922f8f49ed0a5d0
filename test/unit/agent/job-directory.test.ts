import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { JobDirectory } from "../../../src/agent/job-directory.ts";

async function jobDirectory() {
  const workDir = mkdtempSync(join(tmpdir(), "signalbox-directory-"));
  onTestFinished(() => rmSync(workDir, { recursive: true, force: true }));
  return { workDir, directory: await JobDirectory.create(workDir) };
}

function file(path: string, modeText = "0600") {
  return { path, content: Buffer.from("secret"), mode: Number.parseInt(modeText, 8), modeText };
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("only the agent's user may enter a job's directory, and two jobs never share one", async () => {
  const { workDir, directory } = await jobDirectory();
  expect([mode(directory.root), mode(directory.home)]).toEqual(["700", "700"]);
  expect((await JobDirectory.create(workDir)).root).not.toBe(directory.root);
});

test("relative and ~ paths lie in the home, absolute ones where they say", async () => {
  const { directory } = await jobDirectory();
  expect(directory.locate("a/b")).toBe(join(directory.home, "a/b"));
  expect(directory.locate("~/a")).toBe(join(directory.home, "a"));
  expect(directory.locate("/etc/a")).toBe("/etc/a");
});

test("a file has exactly the mode asked for, whatever the umask, and its new parents are private", async () => {
  const { directory } = await jobDirectory();
  await directory.write(file("deep/er/key", "0666"));
  expect(mode(join(directory.home, "deep/er/key"))).toBe("666");
  expect([mode(join(directory.home, "deep")), mode(join(directory.home, "deep/er"))]).toEqual(["700", "700"]);
  expect(readdirSync(join(directory.home, "deep/er"))).toEqual(["key"]);
});

test("a symbolic link in a file's place is replaced, not followed", async () => {
  const { workDir, directory } = await jobDirectory();
  const victim = join(workDir, "victim");
  writeFileSync(victim, "untouched");
  symlinkSync(victim, join(directory.home, "key"));
  await directory.write(file("key"));
  expect(readFileSync(victim, "utf8")).toBe("untouched");
  expect(readFileSync(join(directory.home, "key"), "utf8")).toBe("secret");
});

test("at the end nothing remains: not what was written outside, not what may not be written", async () => {
  const { workDir, directory } = await jobDirectory();
  const outside = join(workDir, "outside");
  await directory.write(file(outside));
  mkdirSync(join(directory.home, "cache/module"), { recursive: true });
  writeFileSync(join(directory.home, "cache/module/file"), "");
  for (const path of ["cache/module", "cache"]) chmodSync(join(directory.home, path), 0o500);
  expect(await directory.remove()).toEqual([]);
  expect(existsSync(directory.root)).toBe(false);
  expect(existsSync(outside)).toBe(false);
});

test("a file that cannot be put in its place leaves no half of it behind", async () => {
  const { directory } = await jobDirectory();
  mkdirSync(join(directory.home, "taken"));
  await expect(directory.write(file("taken"))).rejects.toThrow();
  expect(readdirSync(directory.home)).toEqual(["taken"]);
});
