/** Which addresses a list of networks lets in, and which lists are none. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allows, checkRanges } from "../../../../src/worker/accounts/networks.ts";
import { Fault } from "../../../../src/worker/lib/fault.ts";

describe("an address and a list", () => {
  it.each([
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["192.0.2.128/25", "192.0.2.127", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["2001:DB8::1", "2001:0db8:0:0:0:0:0:1", true],
    ["2001:db8:8000::/33", "2001:db8:7fff::1", false],
    // Families do not mix, but for IPv4 written as IPv6.
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "192.0.2.1", false],
    ["192.0.2.0/24", "::ffff:192.0.2.9", true],
    ["192.0.2.0/24", "::ffff:c000:209", true],
    ["::/0", "::ffff:192.0.2.9", false],
    ["::ffff:192.0.2.0/120", "192.0.2.9", true],
    ["::ffff:192.0.2.0/120", "192.0.3.9", false],
    ["::ffff:192.0.2.9", "::ffff:192.0.2.9", true],
    // What another program might read as an address of the list.
    ["127.0.0.0/8", "0x7f.0.0.1", false],
    ["127.0.0.0/8", "0177.0.0.1", false],
    ["127.0.0.0/8", "2130706433", false],
    ["127.0.0.0/8", "127.1", false],
    ["127.0.0.0/8", "127.0.0.1, 203.0.113.9", false],
    ["fe80::/10", "fe80::1%eth0", false],
    ["0.0.0.0/0", "", false],
    ["0.0.0.0/0", "unknown", false],
  ])("%s has %s: %s", (range, address, expected) => {
    expect(allows(["198.51.100.0/24", range], address)).toBe(expected);
    expect(allows(null, address)).toBe(true);
  });

  it("of nobody knows where is let in by no list, and by none", () => {
    expect(allows(["0.0.0.0/0", "::/0"], null)).toBe(false);
    expect(allows(null, null)).toBe(true);
  });

  it("agree with arithmetic on every IPv4 network and address", () => {
    const dotted = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
    const uint = fc.integer({ min: 0, max: 0xffff_ffff });
    const near = fc.tuple(uint, fc.integer({ min: 0, max: 32 }), fc.integer({ min: 0, max: 31 }), fc.boolean());
    fc.assert(
      fc.property(near, ([value, bits, flipped, flip]) => {
        const size = 2 ** (32 - bits);
        const network = value - (value % size);
        const address = flip ? (value ^ (1 << flipped)) >>> 0 : value;
        const range = `${dotted(network)}/${bits}`;
        expect(() => checkRanges({ people: [range] })).not.toThrow();
        expect(allows([range], dotted(address))).toBe(address >= network && address < network + size);
      }),
    );
  });
});

describe("a list", () => {
  it("that holds no range is refused by the field of each", () => {
    const refused = (): Fault => {
      try {
        checkRanges({
          people: ["192.0.2.0/33", "192.0.2.0/24"],
          agents: null,
          viewers: ["10.1.2.3/8", "2001:db8::1/64"],
        });
      } catch (error) {
        if (error instanceof Fault) return error;
      }
      throw new Error("it was taken");
    };
    expect(refused().code).toBe("invalid_request");
    expect(refused().errors.map(({ pointer }) => pointer)).toEqual(["/people/0", "/viewers/0", "/viewers/1"]);
  });

  it.each([
    "",
    "/",
    "x",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/8/8",
    "10/8",
    "::/129",
    "10.0.0.0/-1",
    " 10.0.0.0/8",
    "fe80::%1/64",
  ])("does not take %j", (range) => {
    expect(() => checkRanges({ people: [range] })).toThrow(Fault);
    expect(allows([range], "10.0.0.1")).toBe(false);
  });
});
