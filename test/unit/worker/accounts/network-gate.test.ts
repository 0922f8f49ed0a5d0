import { expect, it } from "vitest";
import type { Networks } from "../../../../src/protocol/networks.ts";
import { createNetworkGate } from "../../../../src/worker/accounts/network-gate.ts";
import { clientAddress } from "../../../../src/worker/http/transport.ts";
import { createCopy } from "../../../../src/worker/lib/copy.ts";
import type { EpochMs } from "../../../../src/worker/lib/time.ts";
import { faultOf } from "../fixtures.ts";

const inside: Networks = { people: ["192.0.2.0/24"], agents: null, viewers: null, revision: 1 };
const from = (address: string) => new Request("https://ci.example.com/", { headers: { "cf-connecting-ip": address } });

/** A gate on a clock and a database that the test turns. */
function gateOn(load: () => Promise<Networks>) {
  const clock = { now: 1_000_000 };
  const lists = createCopy({ clock: () => clock.now as EpochMs, seconds: 30, what: "the lists", load });
  const gate = createNetworkGate({
    lists: lists.current,
    addressOf: (headers) => clientAddress(headers, false),
  });
  return { gate, clock, lists };
}

it("the lists are read anew after 30 seconds, and not before", async () => {
  let reads = 0;
  const { gate, clock } = gateOn(async () => {
    reads += 1;
    return inside;
  });
  await gate.require("people", from("192.0.2.7"));
  clock.now += 29_999;
  await gate.require("people", from("192.0.2.7"));
  expect(reads).toBe(1);
  clock.now += 1;
  await gate.require("people", from("192.0.2.7"));
  expect(reads).toBe(2);
});

it("whoever comes from elsewhere, or from nowhere that is known, is refused", async () => {
  const { gate } = gateOn(async () => inside);
  for (const request of [from("198.51.100.1"), new Request("https://ci.example.com/")]) {
    expect(await faultOf(() => gate.require("people", request))).toMatchObject({ code: "forbidden" });
    await gate.require("agents", request);
  }
});

it("what was read before a change is not kept behind it", async () => {
  const answers: ((networks: Networks) => void)[] = [];
  const { gate, lists } = gateOn(() => new Promise((resolve) => answers.push(resolve)));
  const early = gate.isAllowed("people", from("198.51.100.1"));
  lists.forget();
  answers[0]?.({ ...inside, people: null });
  expect(await early).toBe(true);
  const late = gate.isAllowed("people", from("198.51.100.1"));
  answers[1]?.(inside);
  expect(await late).toBe(false);
});

it("lists that cannot be read let nobody in, and say that trying again makes sense", async () => {
  const { gate } = gateOn(() => Promise.reject(new Error("D1 is away")));
  expect(await faultOf(() => gate.require("people", from("192.0.2.7")))).toMatchObject({
    code: "unavailable",
    retryAfterSeconds: 5,
  });
});
