/** Looks at a deployment from outside, through whatever stands between, and says what to do about what it sees. */
import { parseJson } from "../../client/errors.ts";
import { Health } from "../../protocol/health.ts";
import { isLoopback, messageOf } from "../context.ts";
import { checkLists, proveAddresses } from "./addresses.ts";
import { type Answer, exchange, type Trust } from "./exchange.ts";
import { type Finding, failure, ok, warning } from "./finding.ts";
import { checkOldTls } from "./old-tls.ts";
import { checkEscrow } from "./sealing-key.ts";
import { checkWebsocket } from "./websocket.ts";

const yearSeconds = 31_536_000;

export interface Patient extends Trust {
  readonly base: URL;
  /** Null: what takes a credential is looked at from before the door. */
  readonly token: string | null;
  /** Where plain HTTP is looked for; null: not looked for. */
  readonly httpPort: number | null;
  /** Whether to forge addresses as well: the Worker keeps what that shows, so it is done when asked for alone. */
  readonly provesAddresses?: boolean;
}

/** Every finding, in the order of the wire. A server that does not answer has one finding alone. */
export async function diagnose(patient: Patient): Promise<Finding[]> {
  const { base } = patient;
  const isPlain = base.protocol === "http:";
  if (isPlain && !isLoopback(base)) return [plain()];
  let health: Answer;
  try {
    health = await exchange(new URL("/api/health", base), patient);
  } catch (error) {
    return [failure("reachable", messageOf(error), "check the address, the certificate and that the server runs")];
  }
  const wire = isPlain
    ? [warning("HTTPS", "plain HTTP on loopback", "encrypt it before anyone else reaches it")]
    : [
        ok("HTTPS", "the certificate is trusted"),
        await checkPlainHttp(patient),
        tlsFinding(health),
        await checkOldTls(base, patient),
        hstsFinding(health),
      ];
  const rest = await Promise.all([
    checkClosed(patient),
    attempted("websocket", () => checkWebsocket(base, patient, patient.token)),
  ]);
  return [...wire, healthFinding(health), ...rest, ...(await ownerFindings(patient))];
}

/** What only an owner's token shows. */
async function ownerFindings({ base, token, provesAddresses = false, ...trust }: Patient): Promise<Finding[]> {
  if (token === null) return [];
  const addresses = () => (provesAddresses ? proveAddresses(base, trust, token) : checkLists(base, trust, token));
  const findings = [
    await attempted("sealing key", () => checkEscrow(base, trust, token)),
    await attempted("addresses", addresses),
  ];
  return findings.filter((finding) => finding !== null);
}

/** The credential is never sent there, so nothing else is looked at. */
function plain(): Finding {
  return failure("HTTPS", "this is plain HTTP: whoever listens reads every credential", "use the https:// address");
}

async function checkPlainHttp({ base, httpPort, ...trust }: Patient): Promise<Finding> {
  const check = "redirect";
  if (httpPort === null) return warning(check, "not looked for beside a port of your own", "name it with --http-port");
  const address = (path: string) => new URL(path, `http://${base.hostname}:${httpPort}`);
  let answers: [Answer, Answer];
  try {
    answers = [await exchange(address("/"), trust), await exchange(address("/api/health"), trust)];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ECONNREFUSED") return ok(check, "nothing listens for plain HTTP");
    return warning(check, `plain HTTP does not answer: ${messageOf(error)}`, "redirect it to HTTPS, or close the port");
  }
  const [page, api] = answers;
  if (api.status < 300) return failure(check, "the API answers over plain HTTP", "redirect or refuse plain HTTP");
  if (!leadsToHttps(page)) return warning(check, `plain HTTP gets ${page.status}`, "redirect pages with 308 to HTTPS");
  return ok(check, `plain HTTP is sent to HTTPS with ${page.status}`);
}

function leadsToHttps({ status, headers }: Answer): boolean {
  return status >= 300 && status < 400 && String(headers.location ?? "").startsWith("https://");
}

function tlsFinding({ tlsVersion }: Answer): Finding {
  const version = tlsVersion ?? "none";
  if (["TLSv1.2", "TLSv1.3"].includes(version)) return ok("TLS version", version);
  return failure("TLS version", `${version} was negotiated`, "allow TLS 1.2 and 1.3 alone");
}

function hstsFinding({ headers }: Answer): Finding {
  const check = "HSTS";
  const remedy = "let Strict-Transport-Security pass as the Worker sends it (max-age=31536000)";
  const value = headers["strict-transport-security"];
  if (value === undefined) return failure(check, "no Strict-Transport-Security", remedy);
  const seconds = Number(/max-age="?(\d+)/i.exec(String(value))?.[1] ?? "0");
  return seconds < yearSeconds ? warning(check, `only ${seconds} seconds`, remedy) : ok(check, "a year or more");
}

function healthFinding({ status, body }: Answer): Finding {
  const parsed = Health.safeParse(parseJson(body));
  if (status !== 200 || !parsed.success) {
    return failure("health", `/api/health answers ${status}, not as Signalbox does`, "check the address and the proxy");
  }
  const { problems } = parsed.data;
  if (problems.length === 0) return ok("health", "every binding works");
  const told = problems.map(({ binding, detail }) => `${binding} ${detail}`).join("; ");
  return failure("health", told, "set these bindings and deploy again");
}

/** Below it the development tool serves its SQL explorer; Cloudflare's own edge answers there and passes nothing on. */
async function checkClosed({ base, ...trust }: Patient): Promise<Finding> {
  const check = "/cdn-cgi/";
  return await attempted(check, async () => {
    const remedy = "refuse /cdn-cgi/ at the proxy (nginx: location ^~ /cdn-cgi/ { return 404; })";
    const { status, headers } = await exchange(new URL("/cdn-cgi/explorer/", base), trust);
    if (status < 400) return failure(check, `something answers there with ${status}: a database may lie open`, remedy);
    // Only the Worker numbers its refusals so: the request came through to it.
    const isForwarded = headers["x-request-id"] !== undefined;
    if (!isForwarded) return ok(check, `closed: ${status}`);
    if (isLoopback(base) && base.protocol === "http:") return ok(check, "nothing is served there");
    return failure(check, "the proxy forwards /cdn-cgi/", remedy);
  });
}

async function attempted<Seen extends Finding | null>(
  check: string,
  look: () => Promise<Seen>,
): Promise<Seen | Finding> {
  try {
    return await look();
  } catch (error) {
    return failure(check, messageOf(error), "look at what the proxy's log says");
  }
}
