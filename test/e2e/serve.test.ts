/** `npm run serve`, as a service manager runs it: what it keeps, where it listens, and how it ends. */
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { baseUrlFile, ownerTokenFile } from "../../src/cli/context.ts";
import { isAlive, type Running, signalbox, startSignalbox } from "../support/processes.ts";

const root = join(import.meta.dirname, "../..");
const issuer = "https://ci.example.com";

let data: string;

beforeAll(() => {
  data = join(mkdtempSync(join(tmpdir(), "signalbox-serve-")), "data");
});
afterAll(() => rmSync(join(data, ".."), { recursive: true, force: true }));

function serving(...options: string[]): Promise<{ server: Running; baseUrl: string }> {
  return started(startSignalbox(["serve", "--data", data, "--port", "0", "--issuer", issuer, ...options]));
}

/** As systemd would from the template, but for the folder, the port and where the checkout lies. */
function servingAsUnit() {
  const text = readFileSync(join(root, "docs/guides/signalbox.service"), "utf8");
  const [, command = ""] = /^ExecStart=(.*)$/m.exec(text) ?? [];
  const [program = "", script, ...args] = command.replaceAll("/opt/signalbox", root).split(" ");
  accessSync(program, constants.X_OK);
  expect(script).toBe("src/cli/main.ts");
  const env = Object.fromEntries(
    [...text.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(Object.keys(env)).toContain("SIGNALBOX_DATA");
  return started(startSignalbox([...args, "--port", "0"], { ...env, SIGNALBOX_DATA: data }));
}

async function started(server: Running): Promise<{ server: Running; baseUrl: string }> {
  onTestFinished(async () => {
    server.kill("SIGTERM");
    await server.ended;
  });
  await server.printed(/Signalbox answers on/);
  return { server, baseUrl: readFileSync(join(data, baseUrlFile), "utf8").trim() };
}

it("what was made before a stop by SIGTERM is there after the next start, by the systemd unit's words, and the stop exits with 0", async () => {
  const first = await serving("--organization", "acme");
  const token = readFileSync(join(data, ownerTokenFile), "utf8").trim();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = JSON.stringify({ name: "web", repository: { name: "web", slug: "acme/web" } });
  expect((await fetch(`${first.baseUrl}/api/v1/projects`, { method: "POST", headers, body })).status).toBe(201);
  process.kill(first.server.pid, "SIGTERM");
  expect(await first.server.ended).toMatchObject({ code: 0, stderr: "" });
  await expect(fetch(`${first.baseUrl}/api/health`)).rejects.toThrow();

  const second = await servingAsUnit();
  expect(second.server.output()).toContain("the database is up to date");
  expect(second.server.output()).toContain(`for ${issuer}`);
  expect(await (await fetch(`${second.baseUrl}/api/v1/projects`, { headers })).text()).toContain("acme/web");
});

it("its folder is its user's alone, its one socket is on loopback, and another server on it is refused while it runs", async () => {
  const { server, baseUrl } = await serving();
  // No inspector, no explorer: whatever it runs, this one address answers.
  expect(listenersOf([server.pid, ...childrenOf(server.pid)])).toEqual([new URL(baseUrl).host]);
  expect(statSync(data).mode & 0o077).toBe(0);
  expect(statSync(join(data, "secrets.env")).mode & 0o077).toBe(0);
  const second = await signalbox(["serve", "--data", data, "--port", "0"]);
  expect(second.code).not.toBe(0);
  expect((await fetch(`${baseUrl}/api/health`)).status).toBe(200);
});

it("killed without a word it leaves no runtime on its port or storage, and the next start goes on from there", async () => {
  const { server, baseUrl } = await serving();
  const runtimes = childrenOf(server.pid);
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

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

/** The addresses on which these processes take TCP connections (proc(5): state 0A is LISTEN, addresses in host order). */
function listenersOf(pids: readonly number[]): string[] {
  const inodes = new Set(
    pids.flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        } catch {
          // Closed since it was listed.
          return undefined;
        }
      }),
    ),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter((cells) => cells[3] === "0A" && inodes.has(cells[9] ?? ""))
      .map(([, address = ""]) => {
        const [host = "", port = ""] = address.split(":");
        const bytes = host
          .match(/../g)
          ?.reverse()
          .map((byte) => Number.parseInt(byte, 16));
        return `${table === "tcp" ? bytes?.join(".") : host}:${Number.parseInt(port, 16)}`;
      }),
  );
}
