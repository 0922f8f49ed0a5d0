/** Access keys over the API. A scope is a project's id, or null for the organization. */
import type * as z from "zod";
import {
  AccessKey,
  type AccessKeyCreate,
  AccessKeyDeletion,
  type AccessKeyGenerate,
  AccessKeyList,
  type AccessKeyPatch,
  KeyDecision,
  type KeyDecisionRequest,
  KeyHandOverList,
  KeyShare,
  KeyShareList,
  type KeySightings,
  KeySightingsMarked,
  KeyUnsharing,
} from "../protocol/access-keys.ts";
import { create, type ListQuery, list, remove } from "./resource.ts";
import type { Transport } from "./transport.ts";

type Scope = string | null;

export function accessKeys(transport: Transport, newId: () => string) {
  const path = (scope: Scope) => (scope === null ? "/api/v1/keys" : `/api/v1/projects/${scope}/keys`);
  return {
    create: (scope: Scope, body: z.input<typeof AccessKeyCreate>) =>
      create(transport, AccessKey, path(scope), body, newId),
    /** Of a project also the keys of the organization that are shared with it. */
    list: (scope: Scope, query?: ListQuery) => list(transport, AccessKeyList, path(scope), query),
    generate: (scope: Scope, body: z.input<typeof AccessKeyGenerate>) =>
      create(transport, AccessKey, `${path(scope)}/generate`, body, newId),
    show: (scope: Scope, id: string) => transport.json(AccessKey, { method: "GET", path: `${path(scope)}/${id}` }),
    /** With `revision`, only if nobody changed it since. */
    change: (scope: Scope, id: string, body: z.input<typeof AccessKeyPatch>, revision?: number) =>
      transport.json(AccessKey, {
        method: "PATCH",
        path: `${path(scope)}/${id}`,
        body,
        ifMatch: revision?.toString(),
      }),
    /** With `revision`, only if nobody changed it since. */
    delete: (scope: Scope, id: string, revision?: number) =>
      remove(transport, `${path(scope)}/${id}`, revision?.toString()),
    forceDelete: (scope: Scope, id: string, revision?: number) =>
      transport.json(AccessKeyDeletion, {
        method: "DELETE",
        path: `${path(scope)}/${id}?force=true`,
        ifMatch: revision?.toString(),
      }),
    judge: (projectId: string, id: string, body: z.input<typeof KeyDecisionRequest>) =>
      transport.json(KeyDecision, { method: "POST", path: `${path(projectId)}/${id}/decision`, body }),
    handOvers: (scope: Scope, id: string, query?: ListQuery & { since?: string }) =>
      list(transport, KeyHandOverList, `${path(scope)}/${id}/hand-overs`, query),
    /** Said again, the first time stands. */
    markSeen: (body: z.input<typeof KeySightings>) =>
      transport.json(KeySightingsMarked, { method: "POST", path: `${path(null)}/sightings`, body, repeatable: true }),
    shares: (id: string, query?: ListQuery) => list(transport, KeyShareList, `${path(null)}/${id}/shares`, query),
    /** Sharing what is shared changes nothing, so it may be said again. */
    share: (id: string, projectId: string) =>
      transport.json(KeyShare, {
        method: "POST",
        path: `${path(null)}/${id}/shares`,
        body: { project_id: projectId },
        repeatable: true,
      }),
    unshare: (id: string, projectId: string) =>
      transport.json(KeyUnsharing, { method: "DELETE", path: `${path(null)}/${id}/shares/${projectId}` }),
  };
}
