import * as z from "zod";

export const Health = z.object({
  status: z.enum(["ok", "degraded"]),
  /** One entry for each binding that is missing or malformed; never its value. */
  problems: z.array(z.object({ binding: z.string(), detail: z.string() })),
});
export type Health = z.infer<typeof Health>;
