/** If-Match (RFC 9110 section 13.1.1) on the `revision` that a resource shows. */
import { Fault } from "../lib/fault.ts";

/** The revision asked for, or null where any will do. @throws Fault `invalid_request` */
export function readRevision(request: Request): number | null {
  const header = request.headers.get("if-match");
  if (header === null || header === "*") return null;
  const match = /^"?([0-9]{1,15})"?$/.exec(header);
  if (match === null) throw new Fault("invalid_request", 'If-Match takes a revision such as "3"');
  return Number(match[1]);
}
