/** Doctor, through real nginx in front of the real Worker: green where all is right, red with the right sentence else. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { diagnose } from "../../src/cli/doctor/doctor.ts";
import { bootstrap, call } from "../support/api.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { freePort, makeCertificate, startNginx } from "../support/proxies.ts";

const upgradeLines = `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`;
const closed = "location ^~ /cdn-cgi/ { return 404; }";

let harness: Harness;
let token: string;
let folder: string;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  harness = await startHarness({ ISSUER: "https://ci.example.test", TRUST_PROXY: "on" });
  token = await bootstrap(harness);
  const { seals_with: key_id } = (await call(harness, token, "GET", "/api/v1/sealing")).body;
  await call(harness, token, "POST", "/api/v1/sealing/escrows", { key_id, how: "shown" });
  folder = mkdtempSync(join(tmpdir(), "doctor-"));
  makeCertificate(folder, "localhost");
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await harness.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Proxy {
  upgrade?: string;
  cdnCgi?: string;
  tls?: string;
  /** What the server for plain HTTP does. */
  plain?: string;
}

/** An nginx of this test, on free ports of loopback. */
async function nginx({ upgrade = upgradeLines, cdnCgi = closed, tls = "TLSv1.2 TLSv1.3", plain }: Proxy) {
  const [port, httpPort] = [await freePort(), await freePort()];
  const toWorker = `proxy_pass http://${new URL(harness.url).host}; proxy_set_header Host $proxy_host;`;
  const servers = `
  server { listen 127.0.0.1:${httpPort}; ${plain ?? `return 308 https://localhost:${port}$request_uri;`} }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/privkey.pem;
    ssl_protocols ${tls}; ssl_ciphers DEFAULT:@SECLEVEL=0;
    ${cdnCgi}
    location / { ${toWorker} proxy_set_header X-Forwarded-Proto https; }
    location /api/ws { ${toWorker} ${upgrade} }
  }`;
  stops.push(await startNginx(servers, join(folder, String(port)), port));
  const ca = readFileSync(join(folder, "cert.pem"), "utf8");
  return { base: new URL(`https://localhost:${port}`), ca, token, httpPort };
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
    "sealing key",
  ]);
});

it("is red where the proxy drops Upgrade, with a ticket and without", async () => {
  const patient = await nginx({ upgrade: "" });
  const expected = [["websocket", "failure", "something on the way drops the Upgrade header"]];
  expect(unwell(await diagnose(patient))).toEqual(expected);
  expect(unwell(await diagnose({ ...patient, token: null }))).toEqual(expected);
});

it("is red where the proxy forwards /cdn-cgi/", async () => {
  const findings = await diagnose(await nginx({ cdnCgi: "" }));
  expect(unwell(findings)).toEqual([["/cdn-cgi/", "failure", "the proxy forwards /cdn-cgi/"]]);
});

it("is red where something answers below /cdn-cgi/, as a development tool's SQL explorer does", async () => {
  const findings = await diagnose(await nginx({ cdnCgi: "location ^~ /cdn-cgi/ { return 200 tables; }" }));
  expect(unwell(findings)).toEqual([
    ["/cdn-cgi/", "failure", "something answers there with 200: a database may lie open"],
  ]);
});

it("is red where the API is served over plain HTTP too, and where HSTS is taken away", async () => {
  const toWorker = `location / { proxy_pass http://${new URL(harness.url).host}; proxy_set_header Host $proxy_host; }`;
  const hidden = `${closed} proxy_hide_header Strict-Transport-Security;`;
  expect(unwell(await diagnose(await nginx({ plain: toWorker, cdnCgi: hidden })))).toEqual([
    ["redirect", "failure", "the API answers over plain HTTP"],
    ["HSTS", "failure", "no Strict-Transport-Security"],
  ]);
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
