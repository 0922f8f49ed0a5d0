/** `npm run serve`, as a service manager runs it: what it keeps, where it listens, and how it ends. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { baseUrlFile, ownerTokenFile } from "../../src/cli/context.ts";
import { isAlive, type Running, signalbox, startSignalbox } from "../support/processes.ts";

let data: string;

beforeAll(() => {
  data = join(mkdtempSync(join(tmpdir(), "signalbox-serve-")), "data");
});
afterAll(() => rmSync(join(data, ".."), { recursive: true, force: true }));

async function serving(...options: string[]): Promise<{ server: Running; baseUrl: string }> {
  const issuer = ["--issuer", "https://ci.example.com"];
  const server = startSignalbox(["serve", "--data", data, "--port", "0", ...issuer, ...options]);
  onTestFinished(async () => {
    server.kill("SIGTERM");
    await server.ended;
  });
  await server.printed(/Signalbox answers on/);
  return { server, baseUrl: readFileSync(join(data, baseUrlFile), "utf8").trim() };
}

it("what was made before a stop by SIGTERM is there after the next start, and the stop exits with 0", async () => {
  const first = await serving("--organization", "acme");
  const token = readFileSync(join(data, ownerTokenFile), "utf8").trim();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = JSON.stringify({ name: "web", repository: { name: "web", slug: "acme/web" } });
  expect((await fetch(`${first.baseUrl}/api/v1/projects`, { method: "POST", headers, body })).status).toBe(201);
  process.kill(first.server.pid, "SIGTERM");
  expect(await first.server.ended).toMatchObject({ code: 0, stderr: "" });
  await expect(fetch(`${first.baseUrl}/api/health`)).rejects.toThrow();

  const second = await serving();
  expect(second.server.output()).toContain("the database is up to date");
  expect(await (await fetch(`${second.baseUrl}/api/v1/projects`, { headers })).text()).toContain("acme/web");
});

it("its folder is its user's alone, and another server on it is refused while it runs", async () => {
  const { baseUrl } = await serving();
  expect(statSync(data).mode & 0o077).toBe(0);
  expect(statSync(join(data, "secrets.env")).mode & 0o077).toBe(0);
  const second = await signalbox(["serve", "--data", data, "--port", "0"]);
  expect(second.code).not.toBe(0);
  expect((await fetch(`${baseUrl}/api/health`)).status).toBe(200);
});

it("killed without a word it leaves no runtime on its port or storage, and the next start goes on from there", async () => {
  const { server, baseUrl } = await serving();
  const runtimes = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .map(Number);
  expect(runtimes.length).toBeGreaterThan(0);
  process.kill(server.pid, "SIGKILL");
  await vi.waitFor(async () => expect((await Promise.all(runtimes.map(isAlive))).filter(Boolean)).toEqual([]), {
    timeout: 5000,
    interval: 50,
  });
  await expect(fetch(`${baseUrl}/api/health`)).rejects.toThrow();
  const next = await serving();
  expect((await fetch(`${next.baseUrl}/api/health`)).status).toBe(200);
});

it("an issuer that could not be one is refused before anything is made", async () => {
  for (const issuer of ["http://ci.example.com", "https://ci.example.com/", "ci.example.com"]) {
    const refused = await signalbox(["serve", "--data", `${data}-none`, "--port", "0", "--issuer", issuer]);
    expect([issuer, refused.code, refused.stderr]).toEqual([issuer, 2, expect.stringContaining("--issuer")]);
    expect(() => statSync(`${data}-none`)).toThrow("ENOENT");
  }
});
