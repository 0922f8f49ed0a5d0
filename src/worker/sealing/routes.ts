import { Problem } from "../../protocol/problem.ts";
import {
  SealingBatch,
  SealingEscrowRecord,
  SealingStatus,
  SealingSwitch,
  SealingWalk,
} from "../../protocol/sealing.ts";
import { empty, json } from "../http/reply.ts";
import { type Route, route } from "../http/route.ts";
import type { SealingRotation } from "./sealing-rotation.ts";

/** What the owner does between putting a new sealing key and removing the old one; keys never pass through here. */
export function sealingRoutes(rotation: SealingRotation): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/v1/sealing",
      access: "person",
      summary: "Show every sealing key: what rests under it, which slot holds it here, whether it may be removed",
      answers: { 200: { description: "every key", schema: SealingStatus } },
      handle: async ({ principal }) => json(200, await rotation.status(principal)),
    }),
    route({
      method: "POST",
      path: "/api/v1/sealing/escrows",
      access: "person",
      summary: "Say that you keep a copy of a sealing key, and how, or that you keep none; never the key",
      body: SealingEscrowRecord,
      answers: {
        200: { description: "remembered", schema: SealingStatus },
        422: { description: "no such sealing key", schema: Problem },
      },
      handle: async ({ principal, body }) => json(200, await rotation.escrow(principal, body)),
    }),
    route({
      method: "POST",
      path: "/api/v1/sealing/begin",
      access: "person",
      summary: "Reserve the idle slot for a new sealing key, before you put it there",
      body: SealingSwitch,
      answers: {
        204: { description: "it is yours", schema: null },
        409: { description: "another rotation has begun, or another key seals", schema: Problem },
      },
      async handle({ principal, body }) {
        await rotation.begin(principal, body);
        return empty(204);
      },
    }),
    route({
      method: "POST",
      path: "/api/v1/sealing/switch",
      access: "person",
      summary: "Let another key seal from now on, if the one that you name seals now",
      body: SealingSwitch,
      answers: {
        200: { description: "it seals", schema: SealingStatus },
        409: { description: "another one seals, or it sealed before", schema: Problem },
      },
      handle: async ({ principal, body }) => json(200, await rotation.switchTo(principal, body)),
    }),
    route({
      method: "POST",
      path: "/api/v1/sealing/reseal",
      access: "person",
      summary: "Seal the next records that rest under a retired key anew; repeat with `next` until it is null",
      body: SealingWalk,
      answers: { 200: { description: "a batch", schema: SealingBatch } },
      handle: async ({ principal, body }) => json(200, await rotation.reseal(principal, body.after)),
    }),
    route({
      method: "POST",
      path: "/api/v1/sealing/verify",
      access: "person",
      summary: "Open the next records and name those that do not open; repeat with `next` until it is null",
      body: SealingWalk,
      answers: { 200: { description: "a batch", schema: SealingBatch } },
      handle: async ({ principal, body }) => json(200, await rotation.verify(principal, body.after)),
    }),
  ];
}
