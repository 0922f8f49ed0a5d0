/** Whether a server still speaks TLS 1.1, which RFC 8996 forbids. */
import { connect } from "node:tls";
import { endpointOf, serverNameOf, type Trust } from "./exchange.ts";
import { type Finding, failure, ok, warning } from "./finding.ts";

const check = "TLS 1.1";
const timeoutMilliseconds = 10_000;

export async function checkOldTls(url: URL, trust: Trust): Promise<Finding> {
  const outcome = await attempt(url, trust);
  if (outcome === "accepted") {
    return failure(check, "TLS 1.1 is accepted", "allow TLS 1.2 and 1.3 alone (nginx: ssl_protocols TLSv1.2 TLSv1.3)");
  }
  if (isRefusal(outcome)) return ok(check, "refused");
  return warning(check, `could not be tried: ${outcome}`, "try it with another TLS library");
}

/** The server's alert, or a cut connection: both are a no. Anything else may be our own library's. */
function isRefusal(code: string): boolean {
  return /ALERT|ECONNRESET|EPIPE/.test(code);
}

function attempt(url: URL, trust: Trust): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      ...endpointOf(url, trust),
      ...serverNameOf(url),
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      // OpenSSL 3 offers no cipher for it at its usual level, and then nothing would be asked at all.
      ciphers: "DEFAULT@SECLEVEL=0",
      // The version is asked for, nothing is sent: the certificate is checked by the other exchanges.
      rejectUnauthorized: false,
      ...(trust.ca === undefined ? {} : { ca: trust.ca }),
    });
    const end = (outcome: string) => {
      resolve(outcome);
      socket.destroy();
    };
    socket.setTimeout(timeoutMilliseconds, () => end("no answer"));
    socket.on("secureConnect", () => end("accepted"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on("close", () => resolve("ECONNRESET"));
  });
}
