/** Real reverse proxies, each a process of its own with a throw-away certificate, in front of what is given. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { type RequestOptions, request } from "node:https";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";

export const host = "ci.example.com";

const guides = join(import.meta.dirname, "../../docs/guides/proxies");
const modules = "/usr/lib/apache2/modules";

/** Each by its configuration's file: the seed's own words, and ours. */
export const proxies = ["nginx-seed.conf", "nginx.conf", "apache-seed.conf", "apache.conf", "haproxy.cfg"] as const;
export type ProxyName = (typeof proxies)[number];

export interface ReverseProxy {
  readonly name: ProxyName;
  readonly port: number;
  /** Options of a request through it, by the host's own name and trusting its certificate. */
  readonly options: RequestOptions;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** One request byte for byte as given; `parts` go out as chunks, with no Content-Length. */
  send(options: RequestOptions, parts?: readonly string[]): Promise<{ status: number; text: string }>;
  /** A class of websockets that reach it, for `ticketSockets`. */
  readonly socketClass: new (
    url: string,
    protocols: string[],
  ) => WebSocket;
  stop(): Promise<void>;
}

const programs = ["nginx", "apache2", "haproxy"];

/** The programs that are not on this machine: their Debian packages. */
export function missingPrograms(): string[] {
  return programs.filter((program) => !isInstalled(program));
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.some((folder) => isThere(join(folder, program)));
}

function isThere(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Writes `cert.pem`, `privkey.pem` and both in one as `both.pem`. */
export function makeCertificate(folder: string, name = host): void {
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "privkey.pem")];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2"];
  execFileSync("openssl", [...args, ...subject], { stdio: "ignore" });
  writeFileSync(join(folder, "both.pem"), readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), {
    mode: 0o600,
  });
}

/** Starts the proxy in front of a port of this machine. The configuration is changed in ports and certificate paths alone. */
export async function startProxy(name: ProxyName, upstream: number, certificates: string): Promise<ReverseProxy> {
  const port = await freePort();
  const text = readFileSync(join(guides, name), "utf8")
    .replace(/\/etc\/nginx\/cert|\/path\/to/g, certificates)
    .replace(/www_yoursite_com\.crt/, "cert.pem")
    .replace(/www_yoursite_com\.key/, "privkey.pem")
    .replace(/\/etc\/haproxy\/ci\.example\.com\.pem/, join(certificates, "both.pem"))
    .replace(/(listen |\*:|bind :)443/, name === "haproxy.cfg" ? `bind 127.0.0.1:${port}` : `$1${port}`)
    .replace(/127\.0\.0\.1(:3000)?\b(?!:)(?=[/\s;])/g, `127.0.0.1:${upstream}`);
  const wrap = wrappers[programOf(name)];
  const stop = await run(wrap, { text, folder: join(certificates, name), port });
  return { ...reached(name, port, readFileSync(join(certificates, "cert.pem"), "utf8")), stop };
}

/** An nginx with servers of the test's own, one of which listens on `port`; `folder` is made for it. Answers how to stop it. */
export function startNginx(text: string, folder: string, port: number): Promise<() => Promise<void>> {
  return run(wrappers.nginx, { text, folder, port });
}

/** @throws Error that names the package to install, where the program is not there */
async function run(wrap: Wrapper, wrapped: Omit<Wrapping, "configuration">): Promise<() => Promise<void>> {
  const { folder, port } = wrapped;
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const configuration = join(folder, "proxy.conf");
  const { text, command } = wrap({ ...wrapped, configuration });
  const [program = "", ...args] = command;
  if (!isInstalled(program)) throw new Error(`this test needs ${program}: install it (Debian's package has that name)`);
  writeFileSync(configuration, text);
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (said += part.toString()));
  const ended = once(child, "exit");
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  await listening(port, () => {
    if (isOver) throw new Error(`${program} did not start: ${said}`);
  });
  return async () => {
    child.kill("SIGTERM");
    await ended;
  };
}

type Wrapper = (wrapping: Wrapping) => { text: string; command: string[] };

interface Wrapping {
  readonly text: string;
  readonly folder: string;
  readonly configuration: string;
  readonly port: number;
}

/** What a distribution's main configuration brings, as little of it as runs: processes, modules, where things lie. */
const wrappers = {
  nginx: ({ text, folder, configuration }: Wrapping) => ({
    text: `${process.getuid?.() === 0 ? "user root;\n" : ""}pid ${folder}/pid; error_log stderr;
events {}
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ")}
  ${text}
}
`,
    command: ["nginx", "-p", folder, "-c", configuration, "-e", "stderr", "-g", "daemon off;"],
  }),
  apache: ({ text, folder, configuration, port }: Wrapping) => ({
    text: `ServerRoot ${folder}
ServerName ${host}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
Listen 127.0.0.1:${port}
${["mpm_event", "authz_core", "socache_shmcb", "ssl", "headers", "proxy", "proxy_http", "proxy_wstunnel"]
  .map((module) => `LoadModule ${module}_module ${modules}/mod_${module}.so`)
  .join("\n")}
${process.getuid?.() === 0 ? "User www-data\nGroup www-data" : ""}
${text}
`,
    command: ["apache2", "-f", configuration, "-DFOREGROUND"],
  }),
  haproxy: ({ text, configuration }: Wrapping) => ({ text, command: ["haproxy", "-f", configuration, "-db"] }),
};

function reached(name: ProxyName, port: number, ca: string): Omit<ReverseProxy, "stop"> {
  // `agent: false`: a connection of its own for each request.
  const options = { host: "127.0.0.1", port, servername: host, ca, agent: false } as const;
  const ask = (asked: RequestOptions, parts: readonly (string | Uint8Array)[]) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({ ...options, ...asked, headers: { host, ...asked.headers } }, resolve);
      sent.on("error", reject);
      for (const part of parts) sent.write(part);
      sent.end();
    });
  return {
    name,
    port,
    options,
    async fetch(path, init = {}) {
      const body = init.body === undefined || init.body === null ? [] : [String(init.body)];
      const length = { "content-length": String(Buffer.byteLength(body[0] ?? "")) };
      const headers = { ...Object.fromEntries(new Headers(init.headers)), ...(body.length > 0 && length) };
      const answer = await ask({ path, method: init.method ?? "GET", headers }, body);
      const status = answer.statusCode ?? 0;
      const bytes = await bytesOf(answer);
      const heard = Object.entries(answer.headers).map(([key, value]) => [key, String(value)] as [string, string]);
      return new Response([101, 204, 304].includes(status) ? null : bytes, { status, headers: heard });
    },
    async send(asked, parts = []) {
      const answer = await ask(asked, parts);
      return { status: answer.statusCode ?? 0, text: (await bytesOf(answer)).toString() };
    },
    socketClass: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        const through = new URL(url);
        through.host = `127.0.0.1:${port}`;
        // A browser page of ours sends this Origin; the seed's nginx empties it.
        super(through.href, protocols, { ca, ...{ servername: host }, headers: { host, origin: `https://${host}` } });
        // A refused upgrade closes it, which is what its user hears.
        this.on("error", () => undefined);
      }
    },
  };
}

async function bytesOf(answer: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part);
  return Buffer.concat(parts);
}

async function listening(port: number, mustGoOn: () => void): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    mustGoOn();
    const socket = connect(port, "127.0.0.1");
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    // Nothing tells when a foreign program listens.
    await pause(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function programOf(name: ProxyName): keyof typeof wrappers {
  if (name === "haproxy.cfg") return "haproxy";
  return name.startsWith("nginx") ? "nginx" : "apache";
}
