/** The Worker as `npm run serve` runs it, behind real nginx, Apache and HAProxy: the seed's configurations, and ours. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diagnose } from "../../src/cli/doctor/doctor.ts";
import { follow } from "../../src/client/follow.ts";
import { ticketSockets } from "../../src/client/socket.ts";
import {
  call,
  createWorld,
  finishJob,
  output,
  push,
  registration,
  type Server,
  takeJob,
  type World,
} from "../support/api.ts";
import { defaultVars } from "../support/harness.ts";
import { type Running, signalbox, startSignalbox } from "../support/processes.ts";
import {
  freePort,
  host,
  makeCertificate,
  missingPrograms,
  type ProxyName,
  proxies,
  type ReverseProxy,
  startProxy,
} from "../support/proxies.ts";

const missing = missingPrograms();
if (missing.length > 0)
  process.stderr.write(`the proxies' tests are left out: install ${missing.join(", ")} (Debian's packages)\n`);
// CI leaves nothing out: there the first test fails for want of the program.
const runs = missing.length === 0 || process.env.CI === "true";

let folder: string;
let server: Running;
let world: World<Server>;
const fronts = new Map<ProxyName, ReverseProxy>();

describe.runIf(runs)("behind a proxy", () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "signalbox-proxies-"));
    makeCertificate(folder);
    const data = join(folder, "data");
    const port = await freePort();
    server = startSignalbox(["serve", "--data", prepared(data), "--port", String(port), "--issuer", `https://${host}`]);
    await server.printed(/Signalbox answers on/);
    const direct = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
    world = await createWorld({ fetch: direct, dispatch: direct });
    for (const name of proxies) fronts.set(name, await startProxy(name, port, folder));
  });
  afterAll(async () => {
    for (const proxy of fronts.values()) await proxy.stop();
    server?.kill("SIGTERM");
    await server?.ended;
    rmSync(folder, { recursive: true, force: true });
  });

  describe.each(proxies)("%s", (name) => {
    it("health is reached, with HSTS of a year, and an API call with its token", async () => {
      const health = await front(name).fetch("/api/health");
      expect([health.status, await health.json()]).toEqual([200, { status: "ok", problems: [] }]);
      expect(health.headers.get("strict-transport-security")).toContain("max-age=31536000");
      const headers = { authorization: `Bearer ${world.owner}` };
      expect((await front(name).fetch("/api/v1/projects", { headers })).status).toBe(200);
      expect((await front(name).fetch("/api/v1/projects")).status).toBe(401);
    });

    it("a job's log is followed to its end through wss, on /api/ws and on /api/ws/", async () => {
      for (const path of ["/api/ws", "/api/ws/"]) {
        const { jobId, agent, logToken } = await runningJob(front(name));
        const through = { ...world, as: asThrough(front(name)) };
        const texts: string[] = [];
        let end: unknown = null;
        await push(through, logToken, jobId, 0, [output("early\n")]);
        for await (const record of followed(front(name), jobId, path)) {
          if (record.kind === "event" && record.event.event === "cmd_output") texts.push(record.event.output);
          if (record.kind === "event" && record.position === 0) {
            await push(through, logToken, jobId, 1, [output("late\n")]);
            await finishJob(through, agent, jobId);
          }
          if (record.kind === "end") end = record;
        }
        expect(texts).toEqual(["early\n", "late\n"]);
        expect(end).toMatchObject({ result: "passed" });
      }
    });

    it("a body in chunks without Content-Length is taken, and its limit counts the bytes that came", async () => {
      const headers = { authorization: `Bearer ${world.owner}`, "content-type": "application/json" };
      const post = (parts: string[]) =>
        front(name).send(
          { method: "POST", path: "/api/v1/tokens", headers: { ...headers, "transfer-encoding": "chunked" } },
          parts,
        );
      const made = await post(['{"name":"chunked",', '"role":"guest"}']);
      expect([made.status, JSON.parse(made.text).name]).toEqual([201, "chunked"]);
      const tooLarge = await post(Array.from({ length: 1100 }, () => " ".repeat(1024)));
      expect(tooLarge.status).toBe(413);
    });

    it("the issuer's host is known however it is written, and no other is served", async () => {
      const statusOf = async (asked: string, path = "/api/v1/whoami") =>
        (await front(name).send({ path, headers: { host: asked, authorization: `Bearer ${world.owner}` } })).status;
      for (const same of [host, host.toUpperCase(), `${host}:443`])
        expect([same, await statusOf(same)]).toEqual([same, 200]);
      for (const scheme of ["https", "http"])
        expect(await statusOf(host, `${scheme}://${host}/api/v1/whoami`)).toBe(200);
      // The seed's Apache asks by a loopback name of its own, whatever it was asked by.
      const forOthers = name === "apache-seed.conf" ? 200 : 421;
      for (const other of [`${host}.`, `${host}:8443`, "evil.example"]) {
        expect([other, await statusOf(other)]).toEqual([other, forOthers]);
      }
      // RFC 9112 section 3.2.2 has the request line count; nginx hands Host on, HAProxy wants both to agree.
      const disagreeing = { nginx: 200, apache: forOthers, haproxy: 400 }[name.split(/[-.]/)[0] ?? ""];
      expect(await statusOf(host, "https://evil.example/api/v1/whoami")).toBe(disagreeing);
    });

    it("no SQL explorer answers, whatever Host is asked for", async () => {
      const sql = JSON.stringify({ sql: "SELECT name FROM projects" });
      for (const asked of ["localhost", "127.0.0.1", host]) {
        for (const path of [
          "/cdn-cgi/explorer/api/d1/database",
          "/cdn-cgi/explorer/api/d1/database/DB/raw",
          "/cdn-cgi/mf/scheduled",
          "/%63dn-cgi/explorer/api/d1/database",
          `http://${asked}/cdn-cgi/explorer/api/d1/database`,
        ]) {
          const headers = { host: asked, "content-type": "application/json", "content-length": String(sql.length) };
          for (const method of ["GET", "POST"]) {
            const sent = method === "GET" ? { path, headers: { host: asked } } : { path, method, headers };
            const answer = await front(name).send(sent, method === "GET" ? [] : [sql]);
            expect([asked, path, answer.status]).toEqual([asked, path, expect.toSatisfy((status) => status >= 400)]);
            // The project's repository is the canary: whoever reads the database sees it.
            expect(answer.text).not.toContain("acme/web");
          }
        }
      }
    });
  });

  it("a quiet log's socket stays open for two minutes behind each of them, and then tells the end", async () => {
    const ends = proxies.map(async (name) => {
      const { jobId, agent } = await runningJob(front(name));
      let interruptions = 0;
      const records = followed(front(name), jobId, "/api/ws", () => interruptions++);
      const ended = (async () => {
        for await (const record of records) if (record.kind === "end") return record.result;
        return "broken off";
      })();
      await new Promise((resolve) => setTimeout(resolve, 120_000));
      await finishJob(world, agent, jobId);
      return [name, await ended, interruptions];
    });
    expect(await Promise.all(ends)).toEqual(proxies.map((name) => [name, "passed", 0]));
  }, 180_000);

  it("what a client says of its own address, or in Cloudflare's name, does not pass a hardened proxy", async () => {
    const seen: Record<string, unknown>[] = [];
    const upstream = createServer((request, response) => {
      seen.push(request.headers);
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => upstream.once("listening", resolve));
    const address = upstream.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const forged = Object.fromEntries(
      [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "forwarded",
        "true-client-ip",
        "cf-connecting-ip",
        "cf-ray",
        "cf-visitor",
        "cf-ipcountry",
        "mf-cf-blob",
        "mf-original-url",
        "mf-original-hostname",
      ].map((each) => [each, "forged.example"]),
    );
    const hardened = mkdtempSync(join(tmpdir(), "signalbox-hardened-"));
    makeCertificate(hardened);
    for (const name of ["nginx.conf", "apache.conf", "haproxy.cfg"] as const) {
      const proxy = await startProxy(name, port, hardened);
      await proxy.send({ path: "/api/health", headers: { ...forged, authorization: "Bearer kept" } });
      await proxy.stop();
      const headers = seen.pop() ?? {};
      expect(Object.entries(headers).filter(([, value]) => String(value).includes("forged"))).toEqual([]);
      expect(headers).toMatchObject({
        authorization: "Bearer kept",
        "x-real-ip": "127.0.0.1",
        "x-forwarded-proto": "https",
      });
    }
    upstream.close();
    rmSync(hardened, { recursive: true });
  });

  describe("that no forged address comes through is shown by doctor", () => {
    const through = (name: ProxyName) => ({
      base: new URL(`https://${host}`),
      ca: readFileSync(join(folder, "cert.pem"), "utf8"),
      connectTo: { host: "127.0.0.1", port: front(name).port },
      token: world.owner,
      httpPort: null,
    });
    const prove = async (name: ProxyName) =>
      (await diagnose({ ...through(name), provesAddresses: true })).find(({ check }) => check === "addresses");
    const set = (agents: string[] | null) =>
      asThrough(front("nginx.conf"))(world.owner, "PATCH", "/api/v1/networks", { agents });

    it("and until it is shown, no list is taken", async () => {
      const answer = await set(["127.0.0.1"]);
      expect([answer.status, answer.body.detail]).toEqual([422, expect.stringContaining("nothing has shown")]);
    });

    it("behind each hardened proxy, with everything else in order, and then a list is taken and holds", async () => {
      for (const name of ["nginx.conf", "apache.conf", "haproxy.cfg"] as const) {
        const findings = await diagnose({ ...through(name), provesAddresses: true });
        const unwell = findings.filter(({ verdict }) => verdict !== "ok").map(({ check, detail }) => [check, detail]);
        const expected = [
          ["redirect", "not looked for beside a port of your own"],
          ["sealing key", expect.stringContaining("nobody has said that a copy")],
        ];
        expect([name, unwell]).toEqual([name, expected]);
        expect(findings.at(-1)).toMatchObject({ check: "addresses", detail: expect.stringContaining("127.0.0.1") });
      }
      const [to, nowhere] = [`127.0.0.1:${front("haproxy.cfg").port}`, String(await freePort())];
      const argv = [
        "doctor",
        `https://${host}`,
        "--connect-to",
        to,
        "--http-port",
        nowhere,
        "--prove-addresses",
        "--json",
      ];
      const env = { SIGNALBOX_TOKEN: world.owner, NODE_EXTRA_CA_CERTS: join(folder, "cert.pem") };
      const told = await signalbox(argv, env);
      const findings: { check: string; verdict: string }[] = JSON.parse(told.stdout).findings;
      const unwell = findings.filter(({ verdict }) => verdict !== "ok").map(({ check, verdict }) => [check, verdict]);
      expect([told.code, findings.length, unwell]).toEqual([0, 10, [["sealing key", "warning"]]]);
      const taken = await set(["192.0.2.0/24"]);
      expect([taken.status, taken.body.address_proof]).toMatchObject([200, { verdict: "proven", holds: true }]);
      const agent = asThrough(front("haproxy.cfg"));
      const forged = { "x-real-ip": "192.0.2.1", "x-forwarded-for": "192.0.2.1" };
      const sync = ["POST", "/api/v1/self_hosted_agents/sync", waiting] as const;
      const credential = await registered("192.0.2.7");
      expect((await agent(credential, ...sync, forged)).status).toBe(403);
      expect((await set(["127.0.0.1"])).status).toBe(200);
      expect((await agent(credential, ...sync, forged)).status).toBe(200);
      expect((await set(null)).status).toBe(200);
    });

    it("and not behind the seed's, which pass a client's own X-Real-IP: from then on no list is taken", async () => {
      const nginx = await prove("nginx-seed.conf");
      expect([nginx?.verdict, nginx?.detail]).toEqual([
        "failure",
        expect.stringContaining("X-Real-IP at the upgrade on /api/ws was believed"),
      ]);
      const apache = await prove("apache-seed.conf");
      expect([apache?.verdict, apache?.detail]).toEqual([
        "failure",
        expect.stringContaining("X-Real-IP on /api/v1/whoami was believed"),
      ]);
      const answer = await set(["127.0.0.1"]);
      expect([answer.status, answer.body.detail]).toEqual([422, expect.stringContaining("a forged one came through")]);
      const { body } = await world.as(world.owner, "GET", "/api/v1/audit?limit=1");
      expect(body.items[0]).toMatchObject({
        action: "networks.prove",
        details: { verdict: "disproven", issuer: `https://${host}` },
      });
    });
  });

  it("nothing of the folder but its secrets file holds a secret, and the Worker's process no argument with one", () => {
    const secrets = readFileSync(join(folder, "data/secrets.env"), "utf8");
    const configuration = readFileSync(join(folder, "data/server/server.capnp"), "utf8");
    for (const [, value = ""] of secrets.matchAll(/='(.+)'/g)) expect(configuration).not.toContain(value);
  });
});

function front(name: ProxyName): ReverseProxy {
  const proxy = fronts.get(name);
  if (proxy === undefined)
    throw new Error(`${name} is not up${missing.length > 0 ? `: install ${missing.join(", ")}` : ""}`);
  return proxy;
}

/** The folder with the harness's own secrets in it, so that the tests know the bootstrap token. */
function prepared(data: string): string {
  rmSync(data, { recursive: true, force: true });
  const { ACCESS_KEY_ENCRYPTION, SIGNING_KEY_1, BOOTSTRAP_TOKEN } = defaultVars;
  const lines = Object.entries({ ACCESS_KEY_ENCRYPTION, SIGNING_KEY_1, BOOTSTRAP_TOKEN });
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(data, "secrets.env"), lines.map(([key, value]) => `${key}='${value}'\n`).join(""), {
    mode: 0o600,
  });
  return data;
}

const waiting = { state: "waiting-for-jobs", job_id: "", job_result: "", interrupted_at: 0 };

/** An agent's credential; where a list holds agents, the one who speaks to the server itself says the address. */
async function registered(address: string): Promise<string> {
  const types = `/api/v1/agent-types/${world.agentTypeId}/registration-tokens`;
  const { token } = (await world.as(world.owner, "POST", types, {})).body;
  const path = "/api/v1/self_hosted_agents/register";
  const answer = await world.as(token, "POST", path, registration("kept-inside"), { "x-real-ip": address });
  if (answer.status !== 201) throw new Error(`register answered ${answer.status}: ${answer.text}`);
  return answer.body.token;
}

const asThrough =
  (proxy: ReverseProxy): World<Server>["as"] =>
  (token, method, path, body, headers) =>
    call({ fetch: proxy.fetch, dispatch: proxy.fetch }, token, method, path, body, headers);

async function runningJob(proxy: ReverseProxy) {
  const through = { ...world, as: asThrough(proxy) };
  const agent = await world.agent();
  await world.startJob();
  const { jobId, logToken } = await takeJob(through, agent);
  return { jobId, agent, logToken };
}

function followed(proxy: ReverseProxy, jobId: string, path: string, onInterruption = () => undefined as unknown) {
  const ticketFor = async (watched: string | null): Promise<string> => {
    const wished = { purpose: "job", job_id: watched };
    const made = await asThrough(proxy)(world.owner, "POST", "/api/v1/socket-tickets", wished);
    if (made.status !== 201) throw new Error(`a ticket was refused: ${made.text}`);
    return made.body.ticket;
  };
  class OnPath extends proxy.socketClass {
    constructor(url: string, protocols: string[]) {
      super(url.replace("/api/ws", path), protocols);
    }
  }
  const sockets = ticketSockets(OnPath as never, ticketFor);
  return follow({ baseUrl: `https://${host}`, jobId, sockets, onInterruption });
}
