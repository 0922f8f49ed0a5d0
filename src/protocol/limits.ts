/**
 * Every limit that a caller can meet, in one place, with its unit in its name.
 * Documented in docs/limits.md; a test compares the two.
 */
export const limits = {
  /** JSON request bodies. */
  bodyBytes: 1024 * 1024,
  /** One log push. Larger ones are refused with 422: the official agent resends a 413 for ever. */
  logPushBytes: 16 * 1024 * 1024,
  /** Events in one log push. */
  logPushEvents: 2000,
  /** JSON values in one event's line, unknown fields and all: an agent's newer version may tell a few more than we know. */
  logEventValues: 1000,
  /** Stored log bytes per job. */
  logBytes: 64 * 1024 * 1024,
  /** One frame to a viewer, its header line apart. */
  viewerFrameBytes: 256 * 1024,
  /** The first frame to a viewer, so that a long log shows at once. */
  viewerFirstFrameBytes: 64 * 1024,
  /** Unacknowledged bytes that one viewer may have under way, at most. */
  viewerCreditBytes: 1280 * 1024,
  /** Unacknowledged bytes under way in one room, over all its viewers. */
  roomCreditBytes: 256 * 1024 * 1024,
  /** A message that a viewer may send. */
  viewerMessageBytes: 1024,
  /** Messages that a socket may send before it was sent any frame; then one for each frame and second. */
  socketMessagesAtFirst: 20,
  /** Messages that a socket may have saved up. */
  socketMessagesSaved: 200,
  /** Unacknowledged bytes that wait for one principal in one isolate of the edge, over all its sockets. */
  principalUnackedBytes: 16 * 1024 * 1024,
  /** Sockets per principal and job. */
  viewersPerPrincipal: 10,
  /** Viewers of one job, over everybody. */
  viewersPerRoom: 1000,
  /** How often one principal may open a socket of one job's log, or of the feed. */
  socketOpensPerMinute: 120,
  /** Seconds after which a viewer that acknowledges nothing is closed, resumably. */
  viewerStallSeconds: 60,
  /** Seconds between two looks at whether a viewer may still see its job. */
  viewerCheckSeconds: 60,
  /** Part of one event that is larger than a row. D1 and Durable Object rows end at 2 MB. */
  logPartBytes: 1024 * 1024,
  /** The secret material of one access key. */
  keyMaterialBytes: 64 * 1024,
  /** A job's specification as JSON. */
  jobSpecBytes: 256 * 1024,
  jobEnvVars: 300,
  jobKeys: 50,
  /** Secret bytes handed to one job, over all its keys. */
  jobSecretBytes: 256 * 1024,
  /** What a job's secret values come to in all the forms that its log is searched for: the search table's size. */
  jobNeedleBytes: 4 * 1024 * 1024,
  /** Keys that one report names as seen by a person. */
  keySightings: 100,
  jobCommands: 1000,
  identityProfiles: 64,
  /** How often an agent fetches the job that it took: the official one asks ten times. */
  jobFetches: 20,
  /** Identity tokens minted for one job. */
  jobMints: 300,
  refPatterns: 64,
  /** Git allows longer refs; a path component on disk ends near here. */
  refBytes: 1024,
  jobTimeLimitSeconds: 24 * 60 * 60,
  /** A trust policy to be linted or explained. */
  trustPolicyBytes: 64 * 1024,
  /** Lists and maps in one another: what reads a policy or a token descends into them. */
  trustDepth: 64,
  /** Comparisons and characters: see src/trust/effort.ts. */
  trustSteps: 5_000_000,
  /** A job may have more tokens; the newest of those asked for are explained. */
  trustTokens: 20,
  /** Ranges in one list of allowed networks. */
  networks: 100,
  /** Fingerprints of which an agent type requires one. */
  agentCertificates: 64,
  listItems: 1000,
  /** Seconds for which a change of a job's state stays in the feed. */
  jobChangesKeptSeconds: 7 * 24 * 60 * 60,
  /** Notices that a log's summary tells. */
  logNotices: 100,
  /** What is searched for in a log, in UTF-16 units. */
  logSearchChars: 200,
  /** Stored bytes that one call of a search reads: whole pages, until it is so much. */
  logSearchBytes: 4 * 1024 * 1024,
  /** Matches that one call of a search answers. */
  logSearchMatches: 100,
  /** Of a line that is asked for by its number, in UTF-16 units. */
  logLineChars: 64 * 1024,
  /** Sockets of the feed, over everybody. */
  feedSockets: 500,
  /** Unacknowledged bytes that one socket of the feed may have under way. */
  feedCreditBytes: 64 * 1024,
  /** Days for which a project may keep its finished logs, at most. */
  logRetentionDays: 3650,
} as const;
