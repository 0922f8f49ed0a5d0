/** What resources of the API have in common: made with an id of the client's own, listed by pages, deleted. */
import type * as z from "zod";
import type { Transport } from "./transport.ts";

/** A list's query: `limit` items of each page, or one page's cursor, or an exact name. */
export interface ListQuery {
  limit?: number | undefined;
  cursor?: string | undefined;
  name?: string | undefined;
}

export function create<Schema extends z.ZodType>(
  transport: Transport,
  schema: Schema,
  path: string,
  body: { id?: string | undefined },
  newId: () => string,
): Promise<z.output<Schema>> {
  const named = { ...body, id: body.id ?? newId() };
  return transport.json(schema, { method: "POST", path, body: named, repeatable: true });
}

export function list<Schema extends z.ZodType>(
  transport: Transport,
  schema: Schema,
  path: string,
  query: ListQuery | undefined,
): Promise<z.output<Schema>> {
  return transport.json(schema, { method: "GET", path, query: { ...query } });
}

export async function remove(transport: Transport, path: string, ifMatch?: string): Promise<void> {
  await transport.text({ method: "DELETE", path, ifMatch });
}
