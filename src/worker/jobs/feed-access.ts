/** The Worker's way to the feed's object. Whoever calls has settled who asks: the object believes what stands here. */
import { upgradeHeaders } from "../accounts/socket-wire.ts";
import { relayed } from "../lib/socket-relay.ts";
import type { Clock } from "../lib/time.ts";
import type { FeedObject } from "./feed.ts";

export type Feeds<Env> = DurableObjectNamespace<FeedObject<Env>>;

export interface Feed {
  /** A job's state has changed: readers are told behind the answer, which does not wait for them. */
  wake(): void;
  /** The upgrade; 101 or a close code. */
  open(request: Request, principalId: string, after: number): Promise<Response>;
}

/** `inBackground` keeps work alive behind an answer. */
export function createFeed<Env>(feeds: Feeds<Env>, inBackground: (work: Promise<unknown>) => void, clock: Clock): Feed {
  const object = () => feeds.getByName("feed");
  return {
    // One that fails is made good by the next, or within a minute by the object's alarm.
    wake: () =>
      inBackground(
        object()
          .wake()
          .catch(() => undefined),
      ),
    async open(request, principalId, after) {
      const headers = upgradeHeaders(request, principalId);
      return relayed(await object().fetch(`https://feed/?after=${after}`, { headers }), principalId, clock);
    },
  };
}
