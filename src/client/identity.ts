/** Identity tokens over the API: which were minted, which may be asked for, and what one would say. */
import type * as z from "zod";
import { LedgerEntry, ProjectLedgerEntry } from "../protocol/identity.ts";
import { IdentityPreview, type IdentityPreviewRequest } from "../protocol/identity-preview.ts";
import { IdentityProfile, type IdentityProfileCreate, IdentityProfileList } from "../protocol/identity-profiles.ts";
import { List } from "../protocol/list.ts";
import { create, type ListQuery, list, remove } from "./resource.ts";
import type { Transport } from "./transport.ts";

export function identityProfiles(transport: Transport, newId: () => string) {
  const path = (projectId: string) => `/api/v1/projects/${projectId}/identity-profiles`;
  return {
    create: (projectId: string, body: z.input<typeof IdentityProfileCreate>) =>
      create(transport, IdentityProfile, path(projectId), body, newId),
    list: (projectId: string, query?: ListQuery) => list(transport, IdentityProfileList, path(projectId), query),
    delete: (projectId: string, id: string) => remove(transport, `${path(projectId)}/${id}`),
  };
}

export function identity(transport: Transport) {
  return {
    /** The identity tokens that were minted for a job. */
    ofJob: (jobId: string) =>
      transport.json(List(LedgerEntry), { method: "GET", path: `/api/v1/jobs/${jobId}/identity` }),
    /** Those of a project, newest first; of one audience where it is named. */
    ledger: (projectId: string, query?: ListQuery & { audience?: string | undefined }) =>
      list(transport, List(ProjectLedgerEntry), `/api/v1/projects/${projectId}/identity/ledger`, query),
    /** Mints nothing, so it may be asked again. */
    preview: (projectId: string, body: z.input<typeof IdentityPreviewRequest>) =>
      transport.json(IdentityPreview, {
        method: "POST",
        path: `/api/v1/projects/${projectId}/identity/preview`,
        body,
        repeatable: true,
      }),
  };
}
