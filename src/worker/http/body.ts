/** Request bodies: bytes are counted as they are read, whatever Content-Length says or leaves out. */
import type * as z from "zod";
import { parse } from "../../protocol/parse.ts";
import { type Bytes, concat, fromUtf8Strict } from "../lib/bytes.ts";
import { Fault } from "../lib/fault.ts";
import { fieldProblems } from "./field-problems.ts";

/** What a body that is no JSON at all is: 400, but 422 in the agent protocol (AGENT-PROTOCOL section 2). */
export type NotJson = "invalid_request" | "refused";

/** @throws Fault `too_large` once more than `bytesMax` bytes have come. */
export async function readBody(request: Request, bytesMax: number): Promise<Bytes> {
  if (request.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of request.body as ReadableStream<Uint8Array>) {
    total += part.length;
    if (total > bytesMax) throw new Fault("too_large", `the body is larger than ${bytesMax} bytes`);
    parts.push(part);
  }
  return concat(...parts);
}

/** @throws Fault `invalid_request` naming each field that the schema refuses. */
export async function readJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  bytesMax: number,
  notJson: NotJson = "invalid_request",
): Promise<z.output<Schema>> {
  const parsed = parse(schema, parseJson(await readBody(request, bytesMax), notJson));
  if (parsed.success) return parsed.data;
  throw new Fault("invalid_request", "the body does not fit", { errors: fieldProblems(parsed.misfits, "/") });
}

function parseJson(bytes: Bytes, notJson: NotJson): unknown {
  try {
    return JSON.parse(fromUtf8Strict(bytes));
  } catch {
    // The parser's message quotes what it read, which may be a secret.
    throw new Fault(notJson, "the body is not JSON in UTF-8", {
      errors: [{ pointer: "", detail: "is not JSON in UTF-8" }],
    });
  }
}
