/** YAML as clouds' tools take it, and JSON with it, with the place of what is wrong. */
import { type Document, isNode, isScalar, Lexer, Parser, parseDocument, visit } from "yaml";
import type * as z from "zod";
import { parse } from "../protocol/parse.ts";
import { depthMax, PolicyError, placeOf, tooDeep } from "./policy-error.ts";

/** Each is looked for through the document, and its value may be as large as that. */
const aliasesMax = 100;

/** @throws PolicyError naming line and column, or the path of a field that does not fit. */
export function parseYamlText<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  return fitting(schema, readYaml(text));
}

/**
 * @param at where the value stands in the document.
 * @throws PolicyError naming the path of a field that does not fit.
 */
export function fitting<Schema extends z.ZodType>(schema: Schema, value: unknown, at = ""): z.output<Schema> {
  const parsed = parse(schema, value);
  if (parsed.success) return parsed.data;
  const [{ path, detail }] = parsed.misfits;
  throw new PolicyError([...(at === "" ? [] : [at]), ...path.map(String)].join("."), detail);
}

/** @throws PolicyError naming line and column. */
export function readYaml(text: string): unknown {
  refuseDepth(text);
  // The library compares each key with all before it; `refuseKeys` looks them up.
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: true, stringKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const [place] = error.linePos ?? [];
    const at = place === undefined ? "" : `line ${place.line}, column ${place.col}`;
    throw new PolicyError(at, error.message.split(" at line ")[0]?.split("\n")[0] ?? "is no YAML");
  }
  refuseKeys(document, text);
  refuseAliases(document, text);
  return plain(document);
}

/** Whether a document is a map with this field. */
export function hasField<Name extends string>(document: unknown, name: Name): document is Record<Name, unknown> {
  return typeof document === "object" && document !== null && Object.hasOwn(document, name);
}

/** Before anything descends into the text: the library's own parser keeps a stack of its own, which is looked at here. */
function refuseDepth(text: string): void {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    // Run to its end: what it makes, is made again when the document is.
    for (const _token of parser.next(lexeme));
    if (parser.stack.length > depthMax && collections(parser) > depthMax) {
      throw new PolicyError(placeOf(text, parser.offset - lexeme.length), tooDeep);
    }
  }
}

function collections({ stack }: Parser): number {
  return stack.filter(({ type }) => type === "block-map" || type === "block-seq" || type === "flow-collection").length;
}

function refuseKeys(document: Document, text: string): void {
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        // A record's schema passes over __proto__: what stands under it would be neither checked nor compared.
        if (name === "__proto__") throw new PolicyError(placeOfNode(key, text), "no cloud has a field __proto__");
        if (seen.has(name))
          throw new PolicyError(placeOfNode(key, text), `the field ${JSON.stringify(name)} stands twice`);
        seen.add(name);
      }
    },
  });
}

/** Not asked of nodes that are good: it counts the lines up to there. */
function placeOfNode(node: unknown, text: string): string {
  return isNode(node) && node.range ? placeOf(text, node.range[0]) : "";
}

function refuseAliases(document: Document, text: string): void {
  let count = 0;
  visit(document, {
    Alias(_key, alias) {
      count++;
      if (count > aliasesMax) {
        throw new PolicyError(placeOfNode(alias, text), `an alias too many: ${aliasesMax} are read`);
      }
    },
  });
}

/** Aliases expand at most a hundredfold, against documents that grow as they are read. */
function plain(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    throw new PolicyError("", error instanceof Error ? error.message : String(error));
  }
}
