/** The agent with a client certificate: presented at every call, over a real handshake. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchPresenting } from "../../src/agent/client-certificate.ts";
import { AgentRefused } from "../../src/agent/errors.ts";
import { signalbox } from "../support/processes.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-test-"));
const [certificate, key, tokenFile] = ["cert.pem", "key.pem", "token"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const base = "/api/v1/self_hosted_agents";
const answers: Record<string, [status: number, body: object]> = {
  [`${base}/register`]: [201, { name: "agent-1", token: "ACCESS" }],
  [`${base}/sync`]: [200, { action: "shutdown", job_id: "", shutdown_reason: "idle", next_sync_after: 100 }],
  [`${base}/disconnect`]: [200, {}],
};
const seen: [path: string, fingerprint: string | undefined][] = [];
let server: Server;

beforeAll(async () => {
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...files, ...names], {
    stdio: "ignore",
  });
  writeFileSync(tokenFile, "registration-token\n", { mode: 0o600 });
  const pair = { cert: readFileSync(certificate), key: readFileSync(key) };
  server = createServer({ ...pair, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    seen.push([request.url ?? "", (request.socket as TLSSocket).getPeerCertificate().fingerprint256]);
    const [status, body] = answers[request.url ?? ""] ?? [404, {}];
    request.resume().on("end", () => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

function startAgent(...more: string[]) {
  const endpoint = `https://localhost:${(server.address() as AddressInfo).port}`;
  const argv = ["agent", "start", "--endpoint", endpoint, "--token-file", tokenFile, "--name", "agent-1", ...more];
  return signalbox(argv, { NODE_EXTRA_CA_CERTS: certificate, SIGNALBOX_TOKEN: "" });
}

test("it registers, syncs and says goodbye with its certificate, and with none where it was given none", async () => {
  const { fingerprint256 } = new X509Certificate(readFileSync(certificate));
  for (const [argv, fingerprint] of [
    [["--certificate", certificate, "--certificate-key", key], fingerprint256],
    [[], undefined],
  ] as const) {
    seen.length = 0;
    const { code, stderr } = await startAgent(...argv);
    expect([code, stderr]).toEqual([0, expect.stringContaining("the agent ended: idle")]);
    expect(seen).toEqual(["register", "sync", "disconnect"].map((call) => [`${base}/${call}`, fingerprint]));
  }
});

test("a key that is another certificate's is refused before anything is sent", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
  expect(() => fetchPresenting(pem)).not.toThrow();
  const other = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  expect(() => fetchPresenting({ ...pem, key: other })).toThrow(AgentRefused);
});
