/** What is tried to show that no forged address comes through the proxy in front, and what it showed. Pure. */
import type { AddressProblem, AddressVerdict } from "../../protocol/address-proofs.ts";
import type { Random } from "../lib/bytes.ts";
import { isSameAddress, normalAddress } from "./networks.ts";

export interface Forgery {
  /** Which headers, in words; what is tried without any is the measure of the rest. */
  readonly forged: string;
  readonly address: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Cloudflare's edge refuses some in its own name: what does not arrive forges nothing. */
  readonly isRefusable: boolean;
}

export interface Target {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly isUpgrade: boolean;
}

export type Trial = Target & Forgery;

/** A trial as it was seen, or was not. */
export interface SeenTrial {
  readonly path: string;
  readonly isUpgrade: boolean;
  readonly forged: string;
  readonly forgedAddress: string | null;
  readonly isRefusable: boolean;
  readonly isSeen: boolean;
  readonly seenAddress: string | null;
}

export interface Judgement {
  readonly verdict: AddressVerdict;
  readonly address: string | null;
  readonly problems: readonly AddressProblem[];
}

const nobody = "00000000-0000-0000-0000-000000000000";

/** Where the lists are asked. A proxy may treat each by a rule of its own, so each is tried. */
const targets: readonly Target[] = [
  { method: "GET", path: "/api/v1/whoami", isUpgrade: false },
  { method: "POST", path: "/api/v1/self_hosted_agents/sync", isUpgrade: false },
  { method: "POST", path: `/api/v1/logs/${nobody}`, isUpgrade: false },
  { method: "POST", path: `/api/v1/jobs/${nobody}/identity/token`, isUpgrade: false },
  { method: "GET", path: "/api/ws", isUpgrade: true },
  { method: "GET", path: "/api/ws/", isUpgrade: true },
];

export function planTrials(random: Random): Trial[] {
  const next = distinctAddresses(random);
  return targets.flatMap((target) => [
    { ...target, forged: "nothing", address: null, headers: {}, isRefusable: false },
    ...forgeries.map(([forged, headersOf, isRefusable]) => {
      const address = next();
      return { ...target, forged, address, headers: headersOf(address, target.isUpgrade), isRefusable };
    }),
  ]);
}

type Headers = Record<string, string>;

/** One at a time: where several are forged at once, one that is overwritten may hide one that is believed. */
const forgeries: readonly (readonly [string, (address: string, isUpgrade: boolean) => Headers, boolean])[] = [
  ["X-Real-IP", (address) => ({ "x-real-ip": address }), false],
  ["X-Forwarded-For", (address) => ({ "x-forwarded-for": address }), false],
  // A header that Connection names is dropped by the next hop (RFC 9110 section 7.6.1), the proxy's own included.
  [
    "X-Forwarded-For, with X-Real-IP named in Connection",
    (address, isUpgrade) => ({
      "x-forwarded-for": address,
      connection: `${isUpgrade ? "Upgrade" : "close"}, X-Real-IP`,
    }),
    false,
  ],
  ["Forwarded", (address) => ({ forwarded: `for=${address}` }), false],
  ["X-Client-IP", (address) => ({ "x-client-ip": address }), false],
  ["True-Client-IP", (address) => ({ "true-client-ip": address }), true],
  ["CF-Connecting-IP", (address) => ({ "cf-connecting-ip": address }), true],
  ["CF-Pseudo-IPv4", (address) => ({ "cf-pseudo-ipv4": address }), true],
  ["MF-CF-Blob", (address) => ({ "mf-cf-blob": JSON.stringify({ clientIp: address }) }), false],
  ["MF-Original-URL", (address) => ({ "mf-original-url": `https://${address}/` }), false],
];

/** Of 198.18.0.0/15, which nobody comes from (RFC 2544): IPv4, since a proxy that reads IPv6 reads it too. */
function distinctAddresses(random: Random): () => string {
  const size = 1 << 17;
  const [a = 0, b = 0, c = 0] = random(3);
  let at = ((a << 16) | (b << 8) | c) % size;
  return () => {
    at = (at + 257) % size;
    return `198.${18 + (at >> 16)}.${(at >> 8) & 0xff}.${at & 0xff}`;
  };
}

/**
 * Proven: every request arrived, or forged what is refused on the way, and all that arrived came from one address,
 * which is none of the forged ones.
 */
export function judgeTrials(trials: readonly SeenTrial[]): Judgement {
  const seen = trials.filter(({ isSeen }) => isSeen);
  const forged = trials.flatMap(({ forgedAddress }) => forgedAddress ?? []);
  const isForged = (address: string | null) => forged.some((each) => isSameAddress(each, address));
  const believed = seen.filter(({ seenAddress }) => isForged(seenAddress));
  const addresses = new Set(seen.map(({ seenAddress }) => normalAddress(seenAddress)));
  const [address = null] = addresses;
  const problems = trials.flatMap((trial) => {
    const detail = problemOf(trial, isForged(trial.seenAddress));
    return detail === null ? [] : [{ path: trial.path, upgrade: trial.isUpgrade, forged: trial.forged, detail }];
  });
  if (believed.length > 0) return { verdict: "disproven", address: null, problems };
  if (problems.length === 0 && addresses.size === 1) return { verdict: "proven", address, problems };
  return { verdict: "incomplete", address: null, problems: [...problems, ...differing(seen, addresses)] };
}

function problemOf({ isSeen, isRefusable, seenAddress }: SeenTrial, isForged: boolean): string | null {
  if (!isSeen) return isRefusable ? null : "did not arrive";
  if (isForged) return `was believed: it came as from ${seenAddress}`;
  return normalAddress(seenAddress) === null ? "came with no address that can be read" : null;
}

/** The first that came from elsewhere than the one before it. */
function differing(seen: readonly SeenTrial[], addresses: ReadonlySet<string | null>): AddressProblem[] {
  const [one, other] = [...addresses].filter((address) => address !== null);
  const trial = seen.find(({ seenAddress }) => normalAddress(seenAddress) === other);
  if (one === undefined || other === undefined || trial === undefined) return [];
  const detail = `came from ${other}, and others from ${one}: ask from a machine with one address`;
  return [{ path: trial.path, upgrade: trial.isUpgrade, forged: trial.forged, detail }];
}
