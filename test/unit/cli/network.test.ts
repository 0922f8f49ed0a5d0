/** Allowed networks from the command line, and doctor's options, against an API that notes what it was asked. */
import { describe, expect, test } from "vitest";
import { at, eachTest, id } from "./fixtures.ts";
import { runCli } from "./support.ts";

const site = eachTest();
const shown = {
  people: ["192.0.2.0/24", "2001:db8::/32"],
  agents: null,
  viewers: null,
  revision: 7,
  trust_proxy: false,
  address_proof: null,
};
const proof = { verdict: "proven", at, by: id, issuer: "https://ci.example.com", holds: true, holds_until: at };
const behindProxy = (address_proof: unknown) => ({ ...shown, trust_proxy: true, address_proof });
const table = { "GET /api/v1/networks": shown, "PATCH /api/v1/networks": { ...shown, revision: 8 } };

describe("network show", () => {
  test("tells each list, the revision, and whose word an address is", async () => {
    const { code, stdout } = await site.withApi(table, ["network", "show"]);
    expect([code, stdout.split("\n").map((line) => line.split(/ {2,}/))]).toEqual([
      0,
      [
        ["people", "192.0.2.0/24 2001:db8::/32"],
        ["agents", "any"],
        ["viewers", "any"],
        ["revision", "7"],
        ["addresses", "Cloudflare's word"],
        [""],
      ],
    ]);
  });

  test.each([
    ["nothing is shown of it", null],
    [`proven on ${at}, under https://ci.example.com, until ${at}`, proof],
    [`proven on ${at}, under https://ci.example.com, and lapsed by ${at}`, { ...proof, holds: false }],
    [`disproven on ${at}`, { ...proof, verdict: "disproven", holds: false, holds_until: null }],
  ])("tells of a proxy in front: %s", async (words, of) => {
    const { stdout } = await site.withApi({ "GET /api/v1/networks": behindProxy(of) }, ["network", "show"]);
    expect(stdout).toContain(words);
  });

  test("is the API's own JSON with --json", async () => {
    const { stdout } = await site.withApi(table, ["network", "show", "--json"]);
    expect(JSON.parse(stdout)).toEqual(shown);
  });
});

describe("network set", () => {
  const patches = () => site.asked().filter(({ method }) => method === "PATCH");

  test("changes the lists that it names, on top of the revision that it read, and shows what is then", async () => {
    const argv = ["--people", "192.0.2.0/24", "--people", "2001:db8::/32", "--viewers", "any"];
    const { code, stdout } = await site.withApi(table, ["network", "set", ...argv]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/revision +8/)]);
    const [patch, ...more] = patches();
    expect(patch?.body).toEqual({ people: ["192.0.2.0/24", "2001:db8::/32"], viewers: null, force: false });
    expect([patch?.ifMatch, more]).toEqual(['"7"', []]);
  });

  test("shuts its own author out with --force alone", async () => {
    await site.withApi(table, ["network", "set", "--people", "192.0.2.1", "--force"]);
    expect(patches()[0]?.body).toEqual({ people: ["192.0.2.1"], force: true });
  });

  test.each([
    ["no list", [], "at least one list"],
    ["--force alone", ["--force"], "at least one list"],
    ["any among ranges", ["--agents", "any", "--agents", "192.0.2.1"], "--agents any stands alone"],
  ])("of %s exits 2 and asks nothing", async (_name, argv, words) => {
    const { code, stderr } = await site.withApi(table, ["network", "set", ...argv]);
    expect([code, stderr, site.asked()]).toEqual([2, expect.stringContaining(words), []]);
  });
});

describe("doctor", () => {
  test.each([
    ["no URL", ["doctor", "nowhere"], "not an http or https URL"],
    ["a port that is none", ["doctor", "--http-port", "web"], "whole number"],
    ["an endpoint without a port", ["doctor", "--connect-to", "192.0.2.1"], "host:port"],
  ])("exits 2 for %s", async (_name, argv, words) => {
    const { code, stderr } = await site.withApi(table, argv);
    expect([code, stderr, site.asked()]).toEqual([2, expect.stringContaining(words), []]);
  });

  test("proves nothing without a token, and says so before it looks", async () => {
    const { url, asked } = await site.api({});
    const { code, stderr } = await runCli(["doctor", url, "--prove-addresses"]);
    expect([code, stderr, asked]).toEqual([
      2,
      expect.stringContaining("takes an owner's token: --token-file FILE, or SIGNALBOX_TOKEN"),
      [],
    ]);
  });

  test("exits 1 where anything fails, with every finding as a line or as JSON, and never sends a token in clear", async () => {
    const { url } = await site.api({});
    const { code, stdout } = await runCli(["doctor", url]);
    expect([code, stdout]).toEqual([1, expect.stringContaining("failure  health: /api/health answers 404")]);
    const { findings } = JSON.parse((await runCli(["doctor", url, "--json"])).stdout);
    expect(findings).toContainEqual(expect.objectContaining({ check: "health", verdict: "failure" }));
    const plain = await runCli(["doctor", "http://ci.invalid", "--prove-addresses", "--json"], {
      env: { SIGNALBOX_TOKEN: "t0ken" },
    });
    expect([plain.code, JSON.parse(plain.stdout).findings]).toMatchObject([
      1,
      [{ check: "HTTPS", verdict: "failure" }],
    ]);
  });
});
