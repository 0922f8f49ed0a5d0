/** One range of bytes of a representation (RFC 9110 section 14.1.2). Pure. */

export interface ByteRange {
  readonly first: number;
  /** Behind the last byte. */
  readonly end: number;
}

/**
 * What `Range` asks for of `total` bytes. Null: all of it, for a header that is malformed, in another unit or of several
 * ranges is to be ignored (section 14.2). `unsatisfiable`: it begins behind the end, or asks for no byte.
 */
export function readByteRange(header: string | null, total: number): ByteRange | "unsatisfiable" | null {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header ?? "");
  if (match === null) return null;
  const [, from = "", until = ""] = match;
  if (from === "") return until === "" ? null : suffix(Number(until), total);
  const first = Number(from);
  if (until !== "" && Number(until) < first) return null;
  if (first >= total) return "unsatisfiable";
  return { first, end: until === "" ? total : Math.min(Number(until) + 1, total) };
}

function suffix(length: number, total: number): ByteRange | "unsatisfiable" {
  if (length === 0 || total === 0) return "unsatisfiable";
  return { first: Math.max(0, total - length), end: total };
}
