import * as z from "zod";

/** A UUID as shown and taken everywhere: lower case, any version (ours are version 7, RFC 9562 section 5.7). */
export const Id = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, "must be a UUID in lower case");
export type Id = z.infer<typeof Id>;

/** RFC 3339 in UTC with milliseconds: `2026-11-20T18:10:13.123Z`. */
export const Timestamp = z.iso.datetime({ precision: 3 });
export type Timestamp = z.infer<typeof Timestamp>;

/** A time as people write it into a query: RFC 3339 with seconds, any fraction of them, in UTC or with an offset. */
export const AskedTime = z.iso.datetime({ offset: true });

/** A SHA-256 in lower-case hex, as `sha256sum` prints it. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * The client's own id for what it creates. The same id with the same body again answers 200 with what
 * exists, which is how a POST whose answer was lost is retried; with another body, 409.
 */
export const ClientId = Id.optional();
