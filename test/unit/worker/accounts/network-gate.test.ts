import { expect, it } from "vitest";
import type { Networks } from "../../../../src/protocol/networks.ts";
import { createNetworkGate } from "../../../../src/worker/accounts/network-gate.ts";
import { clientAddress } from "../../../../src/worker/http/transport.ts";
import type { EpochMs } from "../../../../src/worker/lib/time.ts";
import { faultOf } from "../fixtures.ts";

const inside: Networks = { people: ["192.0.2.0/24"], agents: null, viewers: null, revision: 1 };
const from = (address: string) => new Request("https://ci.example.com/", { headers: { "cf-connecting-ip": address } });

/** A gate on a clock and a database that the test turns. */
function gateOn(load: () => Promise<Networks>) {
  const clock = { now: 1_000_000 };
  const gate = createNetworkGate({
    clock: () => clock.now as EpochMs,
    load,
    addressOf: (headers) => clientAddress(headers, false),
  });
  return { gate, clock };
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

it("lists that cannot be read let nobody in, and say that trying again makes sense", async () => {
  const { gate } = gateOn(() => Promise.reject(new Error("D1 is away")));
  expect(await faultOf(() => gate.require("people", from("192.0.2.7")))).toMatchObject({
    code: "unavailable",
    retryAfterSeconds: 5,
  });
});
