/** Lists in pages: the cursor is the id of the last item shown, which sorts by time. */
import type { Listed, Page } from "../../protocol/list.ts";
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "./bytes.ts";
import { Fault } from "./fault.ts";

/** One page of items in ascending order of id. Asks for one more than the page holds, to know whether more follow. */
export async function paged<Item extends { readonly id: string }>(
  page: Page,
  load: (afterId: string, limit: number) => Promise<Item[]>,
): Promise<Listed<Item>> {
  const items = await load(readCursor(page.cursor) ?? "", page.limit + 1);
  return cut(items, page.limit);
}

/** The same for lists that show the newest first. */
export async function pagedNewestFirst<Item extends { readonly id: string }>(
  page: Page,
  load: (beforeId: string, limit: number) => Promise<Item[]>,
): Promise<Listed<Item>> {
  // "g" sorts behind every UUID.
  const items = await load(readCursor(page.cursor) ?? "g", page.limit + 1);
  return cut(items, page.limit);
}

function cut<Item extends { readonly id: string }>(items: Item[], limit: number): Listed<Item> {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown, next: items.length > limit && last !== undefined ? toBase64Url(utf8(last.id)) : null };
}

function readCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const bytes = fromBase64Url(cursor);
  if (bytes === null) {
    throw new Fault("invalid_request", "the query does not fit", {
      errors: [{ pointer: "?cursor", detail: "must be a cursor that a list gave" }],
    });
  }
  return fromUtf8(bytes);
}
