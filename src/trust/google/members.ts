/** Whether the principal that comes out of a mapping is one that a role is granted to. */
import type { TrustCheck } from "../../protocol/trust.ts";
import { resultOf } from "../logic.ts";
import { own } from "../token.ts";
import { isText, type Mapped } from "./mapping.ts";

interface Principals {
  readonly kind: string;
  readonly pool: string | undefined;
  /** `subject/S`, `group/G`, `attribute.NAME/V`, or `*`. */
  readonly rest: string;
}

const principals =
  /^(principal|principalSet):\/\/iam\.googleapis\.com\/(projects\/[^/]+\/locations\/global\/workloadIdentityPools\/[^/]+)\/(.+)$/s;

function parsed(member: string): Principals {
  const [, kind = "", pool, rest = ""] = principals.exec(member) ?? [];
  return { kind, pool, rest };
}

/**
 * A member is one principal, or a set of them by attribute, group or pool.
 * @param pool the provider's own, where its name is given: another pool's principals are others.
 */
export function memberCheck(member: string, pool: string | undefined, mapped: Mapped): TrustCheck {
  const base = { at: "members", expected: [member] };
  const { kind, pool: memberPool, rest } = parsed(member);
  if (memberPool !== undefined && pool !== undefined && memberPool !== pool) {
    const hint = "this is a principal of another pool, or names the project by its id: write the provider's own pool";
    return { ...base, test: `is of ${pool}`, seen: [memberPool], result: "not_met", hint };
  }
  if (kind === "principalSet" && rest === "*")
    return { ...base, test: "everybody in the pool", seen: ["*"], result: "met", hint: null };
  const [, name = "", wanted = ""] = /^(subject|group|attribute\.[a-z0-9_]+)\/(.+)$/s.exec(rest) ?? [];
  if (name === "" || (kind === "principal") !== (name === "subject")) {
    const hint = "write principal://…/subject/S or principalSet://…/attribute.NAME/VALUE";
    return { ...base, test: "is a principal of a workload identity pool", seen: null, result: "not_met", hint };
  }
  const target = name === "subject" ? "google.subject" : name === "group" ? "google.groups" : name;
  return { ...base, ...comparison(target, wanted, mapped) };
}

function comparison(target: string, wanted: string, { google, attribute, unknown }: Mapped) {
  const value = target.startsWith("google.")
    ? own(google, target.slice("google.".length))
    : own(attribute, target.slice("attribute.".length));
  const values = (Array.isArray(value) ? value : [value]).filter(isText);
  const met = values.includes(wanted);
  return {
    test: `${target} is ${wanted}`,
    seen: value === undefined ? null : values,
    result: unknown.has(target) ? ("unknown" as const) : resultOf(met),
    hint: met ? null : value === undefined ? `${target} is not mapped` : "grant the role to the value that is seen",
  };
}
