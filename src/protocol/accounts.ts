/** Bootstrap, API tokens and socket tickets. */
import * as z from "zod";
import { ClientId, Id, Timestamp } from "./ids.ts";
import { List, Page } from "./list.ts";
import { Name, Title } from "./names.ts";
import { Role } from "./principal.ts";

/** What an owner may set for the whole organization. Its name is not among it: that stands in every subject. */
export const OrganizationSettings = z.strictObject({
  /** The word for pull requests in `sub`: `pull-request` where policies were written for Semaphore's older spelling. */
  pull_request_word: z.enum(["pr", "pull-request"]).default("pr"),
});
export type OrganizationSettings = z.infer<typeof OrganizationSettings>;

export const OrganizationPatch = z.strictObject({ pull_request_word: z.enum(["pr", "pull-request"]).optional() });
export type OrganizationPatch = z.infer<typeof OrganizationPatch>;

export const OrganizationShown = z.object({ id: Id, name: Name, settings: OrganizationSettings });
export type OrganizationShown = z.infer<typeof OrganizationShown>;

/** POST /api/v1/bootstrap: presents BOOTSTRAP_TOKEN, names the organization for ever, makes the first owner. */
export const BootstrapRequest = z.strictObject({
  bootstrap_token: z.string().min(1).max(1000),
  organization: Name,
  token_name: Title.default("first owner"),
});

/** An API token as it is shown in lists; the token itself is shown once, when it is made. */
export const ApiToken = z.object({
  id: Id,
  name: Title,
  role: Role,
  /** Null: the whole organization. */
  project_id: Id.nullable(),
  expires_at: Timestamp.nullable(),
  created_at: Timestamp,
  /** The token that made this one; null for the first owner's. */
  created_by: Id.nullable(),
  revoked_at: Timestamp.nullable(),
});
export type ApiToken = z.infer<typeof ApiToken>;
export const ApiTokenList = List(ApiToken);

/** A newly made API token; `token` is missing where a retry by client id finds it already made. */
export const ApiTokenCreated = ApiToken.extend({ token: z.string().optional() });
export type ApiTokenCreated = z.infer<typeof ApiTokenCreated>;

export const Bootstrapped = z.object({
  organization: z.object({ id: Id, name: Name }),
  token: ApiTokenCreated,
});
export type Bootstrapped = z.infer<typeof Bootstrapped>;

export const ApiTokenCreate = z.strictObject({
  id: ClientId,
  name: Title,
  role: Role,
  project_id: Id.nullable().default(null),
  /** Seconds from now; null lives until it is revoked. It never outlives the token that makes it. */
  expires_in_seconds: z
    .int()
    .min(60)
    .max(10 * 366 * 24 * 3600)
    .nullable()
    .default(90 * 24 * 3600),
});
export type ApiTokenCreate = z.infer<typeof ApiTokenCreate>;

/** Who the presented token is. */
export const WhoAmI = z.object({
  organization: z.object({ id: Id, name: Name }),
  token: z.object({ id: Id, name: Title, role: Role, project_id: Id.nullable() }),
});

/** Lists of a whole organization that may be narrowed to one project. */
export const ProjectPage = Page.extend({ project_id: Id.optional() });

/**
 * POST /api/v1/socket-tickets: a single-use credential for one websocket, since browsers cannot send headers.
 * `feed` opens the changes of jobs' states, `probe` a socket that echoes one message, for `signalbox doctor`.
 */
export const SocketTicketCreate = z.discriminatedUnion("purpose", [
  z.strictObject({ purpose: z.literal("job"), job_id: Id }),
  z.strictObject({ purpose: z.literal("feed") }),
  z.strictObject({ purpose: z.literal("probe") }),
]);
export type SocketTicketCreate = z.infer<typeof SocketTicketCreate>;

/** Sent as a subprotocol beside `signalbox.v1`; in no URL. */
export const SocketTicket = z.object({ ticket: z.string(), expires_at: Timestamp });

/** The websocket subprotocol of viewers; a ticket travels as a second one with this prefix. */
export const socketProtocol = "signalbox.v1";
export const ticketProtocolPrefix = "signalbox.ticket.";
