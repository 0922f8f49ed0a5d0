/** A token with one byte of its claims changed, and nothing else. */

/** Changes the first digit of `jti`: the result is still well-formed JSON, so only the signature can tell. */
export function altered(token: string): string {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const bytes = Buffer.from(payload, "base64url");
  const at = bytes.indexOf('"jti":"') + '"jti":"'.length;
  const before = bytes[at];
  if (before === undefined || at < '"jti":"'.length) throw new Error("the token has no jti");
  bytes[at] = before === 0x30 ? 0x31 : 0x30;
  return [header, bytes.toString("base64url"), signature].join(".");
}
