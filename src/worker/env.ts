/** Bindings, checked once into a Config with no holes. What is missing or malformed is named, never quoted. */
import * as z from "zod";
import { limits } from "../protocol/limits.ts";
import { type BindingProblem, type HeldKeys, parseHeldKeys } from "./crypto/keyring.ts";
import { parseSigningKeys, type SigningKeys } from "./crypto/signing.ts";
import { isLoopback } from "./http/transport.ts";
import type { Feeds } from "./jobs/feed-access.ts";
import type { LogRooms } from "./logs/log-access.ts";

export interface Env {
  readonly DB: D1Database;
  readonly LOG_ROOM: LogRooms<Env>;
  readonly FEED: Feeds<Env>;
  readonly ISSUER?: string;
  readonly SETTINGS?: string;
  readonly ACCESS_KEY_ENCRYPTION?: string;
  readonly ACCESS_KEY_ENCRYPTION_2?: string;
  readonly SIGNING_KEY_1?: string;
  readonly SIGNING_KEY_2?: string;
  readonly BOOTSTRAP_TOKEN?: string;
  readonly TRUST_PROXY?: string;
}

/** What the operator may change. docs/architecture.md, "Operator settings". */
export const Settings = z.strictObject({
  /** An agent that has a job and has not synced for so long has lost it. */
  agent_lost_seconds: z.int().min(1).default(900),
  /** A job that no agent took for so long fails. */
  queue_limit_seconds: z.int().min(1).default(86_400),
  /** When agents ask again. */
  next_sync_after_ms: z.int().min(50).max(60_000).default(1000),
  /** Stored log bytes per job. */
  log_bytes_max: z.int().min(1024).default(limits.logBytes),
  /** A final log looks so often at how long its project keeps it: within a day of every change. */
  log_retention_check_seconds: z.int().min(1).max(86_400).default(79_200),
});
export type Settings = z.infer<typeof Settings>;

export interface Config {
  /** Without it nothing is served but health. */
  readonly issuer: URL | null;
  readonly sealing: HeldKeys;
  readonly signing: SigningKeys;
  readonly bootstrapToken: string | null;
  /** Whether a proxy of one's own stands in front, whose headers are believed. */
  readonly trustProxy: boolean;
  readonly settings: Settings;
  /** Everything wrong with the bindings, for health. */
  readonly problems: readonly BindingProblem[];
}

/** A shorter one could be guessed, and it makes an owner. */
const bootstrapTokenChars = 16;

/** Resolved values only: a promise kept across requests would tie one request to another's. */
let last: { readonly texts: string; readonly config: Config } | null = null;

export async function readConfig(env: Env): Promise<Config> {
  const texts = JSON.stringify(Object.entries(env).filter(([, value]) => typeof value === "string"));
  if (last?.texts === texts) return last.config;
  const config = await parseConfig(env);
  last = { texts, config };
  return config;
}

async function parseConfig(env: Env): Promise<Config> {
  const issuer = parseIssuer(env.ISSUER);
  const { settings, problem } = parseSettings(env.SETTINGS);
  const sealing = await parseHeldKeys([
    ["ACCESS_KEY_ENCRYPTION", env.ACCESS_KEY_ENCRYPTION],
    ["ACCESS_KEY_ENCRYPTION_2", env.ACCESS_KEY_ENCRYPTION_2],
  ]);
  const signing = await parseSigningKeys([
    ["SIGNING_KEY_1", env.SIGNING_KEY_1],
    ["SIGNING_KEY_2", env.SIGNING_KEY_2],
  ]);
  const problems = [...sealing.problems, ...signing.problems];
  const bootstrapToken = env.BOOTSTRAP_TOKEN?.trim() ?? "";
  const isShort = bootstrapToken !== "" && bootstrapToken.length < bootstrapTokenChars;
  if (isShort)
    problems.push({ binding: "BOOTSTRAP_TOKEN", detail: `has fewer than ${bootstrapTokenChars} characters` });
  if (typeof issuer === "string") problems.push({ binding: "ISSUER", detail: issuer });
  if (problem !== null) problems.push({ binding: "SETTINGS", detail: problem });
  // Whatever else it says is not taken for yes: believing headers is what must not happen by mistake.
  const trustProxy = env.TRUST_PROXY || "off";
  if (!["on", "off"].includes(trustProxy)) problems.push({ binding: "TRUST_PROXY", detail: "must be on or off" });
  return {
    issuer: typeof issuer === "string" ? null : issuer,
    sealing,
    signing,
    bootstrapToken: bootstrapToken === "" || isShort ? null : bootstrapToken,
    trustProxy: trustProxy === "on",
    settings,
    problems,
  };
}

/** An origin: what clouds compare with `iss` byte for byte has no path, query or trailing slash. */
function parseIssuer(text: string | undefined): URL | string {
  if (text === undefined || text === "") return "is not set";
  const url = URL.parse(text);
  if (url === null || url.origin !== text)
    return "must be an origin such as https://ci.example.com, with no path or slash";
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) return "must be https";
  return url;
}

/** Settings that fit, else the defaults: health names what is wrong with them. */
export function readSettings(env: Env): Settings {
  return parseSettings(env.SETTINGS).settings;
}

function parseSettings(text: string | undefined): { settings: Settings; problem: string | null } {
  const defaults = Settings.parse({});
  try {
    const parsed = Settings.safeParse(JSON.parse(text || "{}"));
    if (parsed.success) return { settings: parsed.data, problem: null };
    return { settings: defaults, problem: `does not fit: look at ${parsed.error.issues[0]?.path.join(".") ?? "it"}` };
  } catch {
    return { settings: defaults, problem: "is not JSON" };
  }
}
