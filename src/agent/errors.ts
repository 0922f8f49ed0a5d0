/** Why an agent ends before it began. The messages are for people. */

/** The agent cannot begin, and trying again would not help. */
export class AgentRefused extends Error {
  override readonly name = "AgentRefused";
}

/** The server did not answer, for as long as an agent waits for one. */
export class AgentUnreachable extends Error {
  override readonly name = "AgentUnreachable";
}
