/** YAML as clouds' tools take it, and JSON with it, with the place of what is wrong. */
import { isScalar, parseDocument, visit } from "yaml";
import type * as z from "zod";
import { PolicyError } from "./policy-error.ts";

/** @throws PolicyError naming line and column, or the path of a field that does not fit. */
export function parseYamlText<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true, stringKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const [place] = error.linePos ?? [];
    const at = place === undefined ? "" : `line ${place.line}, column ${place.col}`;
    throw new PolicyError(at, error.message.split(" at line ")[0]?.split("\n")[0] ?? "is no YAML");
  }
  visit(document, {
    Pair(_key, { key }) {
      // A record's schema passes over this name: what stands under it would be neither checked nor compared.
      if (isScalar(key) && key.value === "__proto__") throw new PolicyError("", "no cloud has a field __proto__");
    },
  });
  const parsed = schema.safeParse(plain(document));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new PolicyError((issue?.path ?? []).map(String).join("."), issue?.message ?? "does not fit");
}

/** Aliases expand at most a hundredfold, against documents that grow as they are read. */
function plain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new PolicyError("", error instanceof Error ? error.message : String(error));
  }
}
