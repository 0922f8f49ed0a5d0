import { describe, expect, test } from "vitest";
import { readRevision } from "../../../../src/worker/http/if-match.ts";
import { checkTransport, clientAddress, clientCertificate, isLoopback } from "../../../../src/worker/http/transport.ts";
import { faultOf } from "../fixtures.ts";

const issuer = new URL("https://ci.example.com");

interface Asked {
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly tlsVersion?: string;
  readonly by?: URL;
  readonly trustProxy?: boolean;
}

function check(url: string, { headers = {}, method = "GET", tlsVersion, by = issuer, trustProxy = false }: Asked = {}) {
  const cf = tlsVersion === undefined ? undefined : { tlsVersion };
  return checkTransport({ method, url, headers: new Headers(headers), cf }, { issuer: by, trustProxy });
}

test("behind a proxy the default port of HTTPS and capitals name the same host, as they do without one", async () => {
  for (const url of ["http://ci.example.com:443/api", "http://CI.EXAMPLE.COM:443/", "http://ci.example.com/"]) {
    expect(check(url, { trustProxy: true })).toBeNull();
  }
  for (const url of ["http://ci.example.com:444/", "http://ci.example.com./"]) {
    expect(await faultOf(() => check(url, { trustProxy: true }))).toMatchObject({ code: "misdirected" });
  }
});

describe("where the issuer is public", () => {
  test("https to its host passes, with or without the default port, however it is spelled", () => {
    for (const url of ["https://ci.example.com/api", "https://ci.example.com:443/", "https://CI.EXAMPLE.COM/"]) {
      expect(check(url)).toBeNull();
    }
  });

  test.each([
    "http://ci.example.com/api/health",
    "http://ci.example.com/api",
    "http://other.example.com/api/ws?job_id=1",
    "http://localhost/.well-known/jwks.json",
    "http://ci.example.com:443/api/v1/jobs",
  ])("%s is refused: whoever listens would read the credential", async (url) => {
    expect(await faultOf(() => check(url))).toMatchObject({ code: "insecure_transport" });
  });

  test("a page over plain HTTP is to be found at the issuer's address, whatever host was asked", () => {
    expect(check("http://ci.example.com/")?.href).toBe("https://ci.example.com/");
    expect(check("http://evil.example/jobs?x=1", { method: "HEAD" })?.href).toBe("https://ci.example.com/jobs?x=1");
    expect(check("http://ci.example.com//evil.example/x")?.href).toBe("https://ci.example.com//evil.example/x");
    expect(check("http://ci.example.com/apiary")?.href).toBe("https://ci.example.com/apiary");
  });

  test("what carries a credential, a body or an upgrade is refused, not sent elsewhere", async () => {
    for (const asked of [
      { method: "POST" },
      { headers: { upgrade: "websocket" } },
      { headers: { authorization: "Bearer x" } },
    ]) {
      expect(await faultOf(() => check("http://ci.example.com/", asked))).toMatchObject({ code: "insecure_transport" });
    }
  });

  test.each(["TLSv1", "TLSv1.1", "SSLv3"])("%s is refused where Cloudflare tells of it", async (tlsVersion) => {
    expect(await faultOf(() => check("https://ci.example.com/", { tlsVersion }))).toMatchObject({
      code: "insecure_transport",
      detail: expect.stringContaining("TLS under 1.2"),
    });
  });

  test.each(["TLSv1.2", "TLSv1.3", undefined])("%s passes", (tlsVersion) => {
    expect(check("https://ci.example.com/", tlsVersion === undefined ? {} : { tlsVersion })).toBeNull();
  });

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

describe("behind a trusted proxy", () => {
  const behind = (url: string, headers: Record<string, string> = {}) => check(url, { headers, trustProxy: true });

  test("a request is encrypted unless X-Forwarded-Proto says http, at any hop", async () => {
    for (const proto of ["https", "HTTPS", "wss", "https, https"]) {
      expect(behind("http://ci.example.com/api/health", { "x-forwarded-proto": proto })).toBeNull();
    }
    expect(behind("http://ci.example.com/api/health"), "Apache says nothing").toBeNull();
    for (const proto of ["http", "HTTP", "https, http", "http,https", "ws"]) {
      const refused = await faultOf(() => behind("http://ci.example.com/api/health", { "x-forwarded-proto": proto }));
      expect([proto, refused]).toMatchObject([proto, { code: "insecure_transport" }]);
    }
    expect(behind("http://ci.example.com/x", { "x-forwarded-proto": "http" })?.href).toBe("https://ci.example.com/x");
  });

  test("it may be asked by the issuer's host or a loopback name, which proxies that do not forward Host use", async () => {
    for (const host of ["ci.example.com", "localhost:3000", "127.0.0.1:3000", "[::1]:3000"]) {
      expect(behind(`http://${host}/api/health`), host).toBeNull();
    }
    for (const host of ["other.example.com", "ci.example.com:8443", "10.0.0.1"]) {
      expect(await faultOf(() => behind(`http://${host}/`)), host).toMatchObject({ code: "misdirected" });
    }
  });

  test("what Cloudflare would say of the connection is not believed", () => {
    const cf = { tlsVersion: "TLSv1" };
    const asked = { method: "GET", url: "http://ci.example.com/", headers: new Headers(), cf };
    expect(checkTransport(asked, { issuer, trustProxy: true })).toBeNull();
  });
});

describe("the address of whoever asks", () => {
  const all = {
    "cf-connecting-ip": "192.0.2.1",
    "x-real-ip": "192.0.2.2",
    "x-forwarded-for": "192.0.2.3, 192.0.2.4",
    "mf-original-url": "https://192.0.2.5/",
  };
  const address = (headers: Record<string, string>, trustProxy: boolean) =>
    clientAddress(new Headers(headers), trustProxy);

  test("is Cloudflare's word there, and nobody else's", () => {
    expect(address(all, false)).toBe("192.0.2.1");
    const { "cf-connecting-ip": _, ...forged } = all;
    expect(address(forged, false)).toBeNull();
  });

  test("is the proxy's word behind one: X-Real-IP, else the hop that it appended itself", () => {
    expect(address(all, true)).toBe("192.0.2.2");
    expect(address({ "x-forwarded-for": "203.0.113.9, 192.0.2.4" }, true)).toBe("192.0.2.4");
    expect(address({ "cf-connecting-ip": "192.0.2.1" }, true)).toBeNull();
    expect(address({ "x-real-ip": " " }, true)).toBeNull();
  });
});

test("where the issuer is loopback, transport is not enforced", () => {
  for (const by of ["http://localhost:8787", "http://127.0.0.1:8787", "http://[::1]:8787"]) {
    for (const url of ["http://127.0.0.1:8787/", "http://ci.example.com/api/ws"])
      expect(check(url, { by: new URL(by) })).toBeNull();
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

describe("a client certificate", () => {
  const fingerprint = "a1".repeat(32);
  const told = {
    certPresented: "1",
    certVerified: "SUCCESS",
    certRevoked: "0",
    certFingerprintSHA256: fingerprint.toUpperCase(),
  };
  const of = (tlsClientAuth?: object, rules: { by?: URL; trustProxy?: boolean } = {}) =>
    clientCertificate({ cf: { tlsClientAuth } }, { issuer: rules.by ?? issuer, trustProxy: rules.trustProxy ?? false });

  test("is taken from Cloudflare's word, and only where every word of it says so", () => {
    expect(of(told)).toEqual({ fingerprint });
    for (const [name, value] of [
      ["certPresented", "0"],
      ["certPresented", undefined],
      ["certVerified", "NONE"],
      ["certVerified", "FAILED:certificate has expired"],
      ["certVerified", "success"],
      ["certVerified", undefined],
      ["certRevoked", "1"],
      ["certRevoked", undefined],
    ] as const) {
      expect([name, value, of({ ...told, [name]: value })]).toEqual([name, value, { missing: expect.any(String) }]);
    }
  });

  test("is missing where nothing is told of one", () => {
    expect(of()).toEqual({ missing: "none was presented" });
    expect(clientCertificate({}, { issuer, trustProxy: false })).toEqual({ missing: "none was presented" });
  });

  test("is never taken on one's own machine, where a header could have said it", () => {
    expect(of(told, { trustProxy: true })).toEqual({ missing: expect.stringContaining("TRUST_PROXY") });
    for (const by of ["http://127.0.0.1:8787", "https://localhost", "http://[::1]:1"]) {
      expect(of(told, { by: new URL(by) })).toEqual({ missing: expect.stringContaining("loopback") });
    }
  });
});
