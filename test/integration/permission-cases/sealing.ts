/** Who may see and rotate the sealing key. */
import { type Case, plain } from "../../support/permissions.ts";

export const sealingCases: Case[] = [
  plain("GET /api/v1/sealing", "sealing.read", "organization", 200, () => "/api/v1/sealing"),
  plain(
    "POST /api/v1/sealing/escrows",
    "sealing.rotate",
    "organization",
    422,
    () => "/api/v1/sealing/escrows",
    () => ({ key_id: "00".repeat(8), how: "shown" }),
  ),
  plain(
    "POST /api/v1/sealing/begin",
    "sealing.rotate",
    "organization",
    409,
    () => "/api/v1/sealing/begin",
    () => ({ from: "00".repeat(8), to: "11".repeat(8) }),
  ),
  plain(
    "POST /api/v1/sealing/switch",
    "sealing.rotate",
    "organization",
    422,
    () => "/api/v1/sealing/switch",
    () => ({ from: "00".repeat(8), to: "11".repeat(8) }),
  ),
  plain(
    "POST /api/v1/sealing/reseal",
    "sealing.rotate",
    "organization",
    200,
    () => "/api/v1/sealing/reseal",
    () => ({ after: null }),
  ),
  plain(
    "POST /api/v1/sealing/verify",
    "sealing.read",
    "organization",
    200,
    () => "/api/v1/sealing/verify",
    () => ({ after: null }),
  ),
];
