import { describe, expect, test } from "vitest";
import { retried } from "../../../../src/worker/crypto/create-once.ts";
import { faultOf } from "../fixtures.ts";

const mac = Uint8Array.of(1, 2, 3);
const request = { createdBy: "token-1", requestMac: mac };

test("the same body by the same person with the same id gets what exists", () => {
  const value = { id: "x" };
  expect(retried({ value, createdBy: "token-1", requestMac: Uint8Array.from(mac) }, request)).toEqual({
    value,
    isNew: false,
  });
});

test("an id that nothing has is nobody's retry", () => {
  expect(retried(null, request)).toBeNull();
});

describe("an id that is in use is refused and shows nothing of what exists", () => {
  test.each([
    ["with another body", { createdBy: "token-1", requestMac: Uint8Array.of(1, 2, 4) }],
    ["with a body of which the MAC is a beginning", { createdBy: "token-1", requestMac: Uint8Array.of(1, 2, 3, 4) }],
    ["with no MAC", { createdBy: "token-1", requestMac: new Uint8Array() }],
    ["by another person", { createdBy: "token-2", requestMac: mac }],
    ["by nobody known", { createdBy: null, requestMac: mac }],
  ])("%s", async (_, made) => {
    const fault = await faultOf(() => retried({ value: "theirs", ...made }, request));
    expect(fault).toMatchObject({ code: "conflict", errors: [{ pointer: "/id", detail: "is in use" }] });
    expect(JSON.stringify(fault) + fault.message).not.toContain("theirs");
  });
});
