import { describe, expect, test } from "vitest";
import { readRevision } from "../../../../src/worker/http/if-match.ts";
import { checkTransport, isLoopback } from "../../../../src/worker/http/transport.ts";
import { faultOf } from "../fixtures.ts";

const issuer = new URL("https://ci.example.com");
const check = (url: string, by = issuer) => checkTransport(new URL(url), by);

describe("where the issuer is public", () => {
  test("https to its host passes, with or without the default port", () => {
    for (const url of ["https://ci.example.com/api", "https://ci.example.com:443/", "https://CI.EXAMPLE.COM/"]) {
      expect(check(url)).toBeUndefined();
    }
  });

  test.each(["http://ci.example.com/", "http://other.example.com/", "http://localhost/", "http://ci.example.com:443/"])(
    "%s is refused: whoever listens would read the credential",
    async (url) => {
      expect(await faultOf(() => check(url))).toMatchObject({ code: "insecure_transport" });
    },
  );

  test.each([
    "https://other.example.com/",
    "https://ci.example.com:8443/",
    "https://ci.example.com.evil.example/",
    "https://ci.example.com./",
    "https://localhost/",
    "https://127.0.0.1/",
  ])("%s is misdirected", async (url) => {
    expect(await faultOf(() => check(url))).toMatchObject({ code: "misdirected" });
  });
});

test("where the issuer is loopback, transport is not enforced", () => {
  for (const by of ["http://localhost:8787", "http://127.0.0.1:8787", "http://[::1]:8787"]) {
    for (const url of ["http://127.0.0.1:8787/", "http://ci.example.com/"])
      expect(check(url, new URL(by))).toBeUndefined();
  }
});

test("loopback is this machine by name, not whatever looks like it", () => {
  for (const yes of [
    "http://localhost",
    "http://127.0.0.1",
    "http://127.1",
    "http://0x7f.0.0.1",
    "http://[::1]",
    "http://[0:0:0:0:0:0:0:1]",
  ]) {
    expect(isLoopback(new URL(yes)), yes).toBe(true);
  }
  for (const no of [
    "http://localhost.example.com",
    "http://127.0.0.1.nip.io",
    "http://0.0.0.0",
    "http://10.0.0.1",
    "http://[::]",
    "http://example.com#localhost",
    "http://localhost@example.com",
  ]) {
    expect(isLoopback(new URL(no)), no).toBe(false);
  }
});

describe("If-Match", () => {
  const read = (header?: string) =>
    readRevision(new Request("https://x.example", { headers: header === undefined ? {} : { "if-match": header } }));

  test("names a revision, quoted or not, or any", () => {
    expect([read('"3"'), read("3"), read("0"), read("*"), read()]).toEqual([3, 3, 0, null, null]);
  });

  test.each(['W/"3"', '"3", "4"', '"a"', '""', "", "-1", "1.5", '"0x3"', "9999999999999999"])(
    "refuses %j",
    async (header) => {
      expect(await faultOf(() => read(header))).toMatchObject({ code: "invalid_request" });
    },
  );
});
