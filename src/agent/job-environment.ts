/**
 * What a job's shell finds in its environment: a few things of the machine's, what the job request names, and the mark
 * by which its processes are known (job-mark.ts). Pure.
 * Nothing else of the agent's own environment may pass: its registration token may lie there.
 */
import { markVariable } from "./job-mark.ts";

const inherited = new Set([
  ...["PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"],
]);

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The job's own variables win, HOME among them, but not over its mark. */
export function jobEnvironment(
  agentEnv: Readonly<Record<string, string | undefined>>,
  job: { readonly home: string; readonly mark: string; readonly requested: ReadonlyMap<string, string> },
): Record<string, string> {
  const env: Record<string, string> = { PATH: defaultPath };
  for (const [name, value] of Object.entries(agentEnv)) {
    if (value !== undefined && (inherited.has(name) || name.startsWith("LC_"))) env[name] = value;
  }
  env.HOME = job.home;
  for (const [name, value] of job.requested) env[name] = value;
  env[markVariable] = job.mark;
  return env;
}

/** One line a variable, sorted: names only, values are secrets. */
export function exportLines(names: Iterable<string>): string {
  return [...names]
    .sort()
    .map((name) => `Exporting ${name}\n`)
    .join("");
}
