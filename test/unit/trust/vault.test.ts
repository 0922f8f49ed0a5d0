/** Vault and OpenBao: the table of vault-cases.ts. */
import { expect, it } from "vitest";
import { verdictOf } from "./tokens.ts";
import { base, vaultCases } from "./vault-cases.ts";

it("has sixty cases and more", () => expect(vaultCases.length).toBeGreaterThanOrEqual(60));

it.each(vaultCases)("%s (%s)", (_says, _document, policy, token, verdict) => {
  expect(verdictOf("vault", policy, token)).toBe(verdict);
});

it("reads what vault prints, and the mount's configuration beside the role", () => {
  expect(verdictOf("vault", { request_id: "x", data: base }, {})).toBe("accepted");
  const config = { bound_issuer: "https://other.example.com" };
  expect(verdictOf("vault", { config, role: base }, {})).toBe("refused");
});

it("addresses are known only at the login, and an empty alias is not decided here", () => {
  expect(verdictOf("vault", { ...base, token_bound_cidrs: ["10.0.0.0/8"] }, {})).toBe("unknown");
  expect(verdictOf("vault", { ...base, user_claim: "actor" }, {})).toBe("unknown");
});
