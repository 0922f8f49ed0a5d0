/** Doctor, through real nginx in front of the real Worker: green where all is right, red with the right sentence else. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { diagnose } from "../../src/cli/doctor/doctor.ts";
import { bootstrap } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";

const upgradeLines = `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`;
const closed = "location ^~ /cdn-cgi/ { return 404; }";

let harness: Harness;
let token: string;
let folder: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  harness = await startHarness({ ISSUER: "https://ci.example.test", TRUST_PROXY: "on" });
  token = await bootstrap(harness);
  folder = mkdtempSync(join(tmpdir(), "doctor-"));
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files], {
    stdio: "ignore",
  });
});
afterAll(async () => {
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(running.map((child) => child.exitCode ?? once(child, "exit")));
  await harness.close();
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

interface Proxy {
  upgrade?: string;
  cdnCgi?: string;
  tls?: string;
}

/** An nginx of this test, on free ports of loopback. */
async function nginx({ upgrade = upgradeLines, cdnCgi = closed, tls = "TLSv1.2 TLSv1.3" }: Proxy) {
  const [port, httpPort] = [await freePort(), await freePort()];
  const at = join(folder, String(port));
  writeFileSync(
    `${at}.conf`,
    `daemon off; master_process off; pid ${at}.pid; error_log ${at}.log;
events {}
http {
  access_log off;
  client_body_temp_path ${at}.body; proxy_temp_path ${at}.proxy; fastcgi_temp_path ${at}.f; uwsgi_temp_path ${at}.u;
  scgi_temp_path ${at}.s;
  server { listen 127.0.0.1:${httpPort}; return 308 https://localhost:${port}$request_uri; }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
    ssl_protocols ${tls}; ssl_ciphers DEFAULT:@SECLEVEL=0;
    ${cdnCgi}
    location / { proxy_pass http://${new URL(harness.url).host}; proxy_set_header Host $proxy_host;
      proxy_set_header X-Forwarded-Proto https; }
    location /api/ws { proxy_pass http://${new URL(harness.url).host}; proxy_set_header Host $proxy_host; ${upgrade} }
  }
}`,
  );
  running.push(spawn("nginx", ["-c", `${at}.conf`], { stdio: "ignore" }));
  await listening(port);
  const ca = readFileSync(join(folder, "cert.pem"), "utf8");
  return { base: new URL(`https://localhost:${port}`), ca, token, httpPort };
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const up = await fetch(`https://127.0.0.1:${port}/`).then(
      () => true,
      (error: Error) => !String((error.cause as { code?: string })?.code).includes("REFUSED"),
    );
    if (up) return;
    await pause(25);
  }
  throw new Error("nginx does not listen");
}

const unwell = (findings: Awaited<ReturnType<typeof diagnose>>) =>
  findings.filter(({ verdict }) => verdict !== "ok").map(({ check, verdict, detail }) => [check, verdict, detail]);

it("is green through an nginx that does all of it right", async () => {
  const findings = await diagnose(await nginx({}));
  expect(unwell(findings)).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual([
    "HTTPS",
    "redirect",
    "TLS version",
    "TLS 1.1",
    "HSTS",
    "health",
    "/cdn-cgi/",
    "websocket",
  ]);
});

it("is red where the proxy drops Upgrade, with a ticket and without", async () => {
  const patient = await nginx({ upgrade: "" });
  const expected = [["websocket", "failure", "something on the way drops the Upgrade header"]];
  expect(unwell(await diagnose(patient))).toEqual(expected);
  expect(unwell(await diagnose({ ...patient, token: null }))).toEqual(expected);
});

it("is red where the proxy forwards /cdn-cgi/", async () => {
  const [found, ...more] = unwell(await diagnose(await nginx({ cdnCgi: "" })));
  expect([found?.slice(0, 2), more]).toEqual([["/cdn-cgi/", "failure"], []]);
});

it("is red where TLS 1.1 is accepted", async () => {
  const findings = await diagnose(await nginx({ tls: "TLSv1.1 TLSv1.2 TLSv1.3" }));
  expect(unwell(findings)).toEqual([["TLS 1.1", "failure", "TLS 1.1 is accepted"]]);
});

it("is red at plain HTTP, and sends nothing there", async () => {
  const findings = await diagnose({ base: new URL("http://ci.invalid"), token, httpPort: null });
  expect(unwell(findings)).toEqual([
    ["HTTPS", "failure", "this is plain HTTP: whoever listens reads every credential"],
  ]);
});
