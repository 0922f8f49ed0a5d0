/** Shows that no address which a client forges comes through the proxy: forges them all, and has the Worker judge. */
import { randomBytes } from "node:crypto";
import * as z from "zod";
import { parseJson, problemFrom } from "../../client/errors.ts";
import {
  type AddressProblem,
  AddressProofJudged,
  AddressProofOpened,
  type AddressTrial,
} from "../../protocol/address-proofs.ts";
import { NetworksShown } from "../../protocol/networks.ts";
import { type Answer, exchange, type Trust } from "./exchange.ts";
import { type Finding, failure, ok, warning } from "./finding.ts";

const check = "addresses";
const proofsPath = "/api/v1/networks/proofs";
const atOnce = 6;
const problemsShown = 3;
const overwrite =
  "let the proxy set X-Real-IP itself on every path, and drop what clients send (docs/guides/behind-a-proxy.md)";

/** `token` is an organization owner's. The forged requests carry credentials of the proof, never this one. */
export async function proveAddresses(base: URL, trust: Trust, token: string): Promise<Finding> {
  const post = (path: string) => exchange(new URL(path, base), trust, { method: "POST", token });
  const answer = await post(proofsPath);
  const opened = z.safeParse(AddressProofOpened, parseJson(answer.body));
  if (answer.status !== 201 || !opened.success) return refused("no proof was begun", answer);
  const { id, issuer, trials } = opened.data;
  if (issuer !== base.origin) {
    return failure(check, `the issuer is ${issuer}, and you asked at ${base.origin}`, `ask at ${issuer}`);
  }
  await inTurn(trials, (trial) => send(base, trust, trial));
  const judgement = await post(`${proofsPath}/${id}/judgement`);
  const judged = z.safeParse(AddressProofJudged, parseJson(judgement.body));
  if (judgement.status !== 200 || !judged.success) return refused("the proof was not judged", judgement);
  return findingOf(judged.data, trials.length);
}

/** Lists that rest on a proof which no longer holds; null where there is nothing to say, or the token may not read it. */
export async function checkLists(base: URL, trust: Trust, token: string): Promise<Finding | null> {
  const { body } = await exchange(new URL("/api/v1/networks", base), trust, { token });
  const shown = z.safeParse(NetworksShown, parseJson(body));
  if (!shown.success) return null;
  const { trust_proxy, address_proof, people, agents, viewers } = shown.data;
  const isListed = [people, agents, viewers].some((list) => list !== null);
  if (!trust_proxy || !isListed || address_proof?.holds) return null;
  return warning(check, "allowed networks are set, and no proof of the proxy holds", "run with --prove-addresses");
}

function findingOf({ verdict, address, problems, holds_until }: AddressProofJudged, asked: number): Finding {
  if (verdict === "proven") {
    const until = holds_until?.slice(0, 10) ?? "";
    return ok(
      check,
      `${asked} requests, and no forged address arrived; the proxy says ${address}. Holds until ${until}`,
    );
  }
  const told = problems.slice(0, problemsShown).map(inWords).join("; ");
  const more = problems.length > problemsShown ? `; and ${problems.length - problemsShown} more` : "";
  if (verdict === "disproven") return failure(check, `a forged address arrives: ${told}${more}`, overwrite);
  return failure(check, `nothing is shown: ${told}${more}`, overwrite);
}

function inWords({ path, upgrade, forged, detail }: AddressProblem): string {
  return `${forged === "nothing" ? "a request" : forged} ${upgrade ? "at the upgrade on" : "on"} ${path} ${detail}`;
}

function refused(what: string, { status, body }: Answer): Finding {
  return failure(
    check,
    `${what}: ${status}, ${problemFrom(status, body).detail}`,
    "it takes an owner's token, and TRUST_PROXY on",
  );
}

/** Whatever comes of it, the Worker has seen it or has not: a proxy may well refuse what is forged. */
async function send(base: URL, trust: Trust, { method, path, upgrade, headers, token }: AddressTrial): Promise<void> {
  const asked = { method, token, headers: { ...(upgrade ? upgradeHeaders() : {}), ...headers } };
  await exchange(new URL(path, base), trust, asked).catch(() => undefined);
}

function upgradeHeaders(): Record<string, string> {
  return {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": randomBytes(16).toString("base64"),
  };
}

/** A few at a time: this is no load test. */
async function inTurn<Item>(items: readonly Item[], each: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await each(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
