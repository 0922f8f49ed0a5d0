import * as z from "zod";
import { limits } from "./limits.ts";

/**
 * A number in a query: digits alone. What `Number` takes beside them ("", " ", "0x10", "1e3") is a slip of whoever asks, and
 * would be answered as if another thing had been asked for.
 */
export function inQuery<Schema extends z.ZodType>(number: Schema) {
  return z.preprocess((value) => (typeof value !== "string" || /^\d+$/.test(value) ? value : Number.NaN), number);
}

/** Query of every list: opaque cursor from the page before, and how many at most. */
export const Page = z.object({
  cursor: z.string().max(200).optional(),
  limit: inQuery(z.coerce.number().int().min(1).max(limits.listItems).default(100)),
});
export type Page = z.infer<typeof Page>;

/** Shape of every list: `next` is the cursor of the following page, or null at the end. */
export function List<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

export interface Listed<Item> {
  items: Item[];
  next: string | null;
}
