/** Lists of networks, and whether an address is in one. Pure. */
import ipaddr from "ipaddr.js";
import type { FieldProblem } from "../../protocol/problem.ts";
import { Fault } from "../lib/fault.ts";

type Address = ReturnType<typeof ipaddr.process>;

/**
 * Whether whoever comes from `address` may come. A list of null lets everybody; an address that is missing or
 * unreadable is in no list. IPv6's `::/0` holds no IPv4 address.
 */
export function allows(list: readonly string[] | null, address: string | null): boolean {
  if (list === null) return true;
  const from = address === null ? null : parseAddress(address);
  return from !== null && list.some((range) => isIn(from, range));
}

/** An address in the one form that says the same of it; null for what is none. */
export function normalAddress(text: string | null): string | null {
  return (text === null ? null : parseAddress(text))?.toNormalizedString() ?? null;
}

export function isSameAddress(one: string | null, other: string | null): boolean {
  const normal = normalAddress(one);
  return normal !== null && normal === normalAddress(other);
}

/** @throws Fault `invalid_request`, naming each range that is none by its place in the list, such as `/people/0` */
export function checkRanges(lists: Readonly<Record<string, readonly string[] | null | undefined>>): void {
  const errors: FieldProblem[] = Object.entries(lists).flatMap(([name, list]) =>
    (list ?? []).flatMap((range, at) => {
      const detail = problemOf(range);
      return detail === null ? [] : [{ pointer: `/${name}/${at}`, detail }];
    }),
  );
  const [first] = errors;
  if (first !== undefined) throw new Fault("invalid_request", `${first.pointer}: ${first.detail}`, { errors });
}

function isIn(from: Address, range: string): boolean {
  const parsed = parseRange(range);
  return parsed !== null && parsed.network.kind() === from.kind() && from.match(parsed.network, parsed.bits);
}

function problemOf(range: string): string | null {
  const parsed = parseRange(range);
  if (parsed === null) return "must be a range such as 192.0.2.0/24 or 2001:db8::/32, or one address";
  const { network, bits } = parsed;
  // 10.1.2.3/8 is more often a slip of the hand than the whole of 10.0.0.0/8.
  const bytes = network.toByteArray();
  const hasHostBits = bytes.some((byte, at) => (byte & (0xff >> Math.min(8, Math.max(0, bits - at * 8)))) !== 0);
  return hasHostBits ? "has bits set after its prefix: write the network's first address" : null;
}

/** An IPv4-mapped range (RFC 4291 section 2.5.5.2) is the IPv4 range that it means. */
function parseRange(text: string): { network: Address; bits: number } | null {
  const match = /^([^/]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text);
  const [, base = "", prefix] = match ?? [];
  const written = parseWritten(base);
  if (written === null) return null;
  const width = written.kind() === "ipv4" ? 32 : 128;
  const bits = prefix === undefined ? width : Number(prefix);
  if (bits > width) return null;
  const meant = ipaddr.process(base);
  if (meant.kind() === written.kind() || bits < 96) return { network: written, bits };
  return { network: meant, bits: bits - 96 };
}

function parseAddress(text: string): Address | null {
  return parseWritten(text) === null ? null : ipaddr.process(text);
}

/** Octal, hexadecimal and short forms of IPv4, and zones of IPv6, are refused: programs read them differently. */
function parseWritten(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  return /^[0-9a-fA-F:.]+$/.test(text) && ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : null;
}
