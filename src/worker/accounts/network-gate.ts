/** Holds whoever has a valid credential to the networks allowed for them, from a copy of the lists. */
import type { Comer, Networks } from "../../protocol/networks.ts";
import { Fault } from "../lib/fault.ts";
import type { Clock, EpochMs } from "../lib/time.ts";
import { allows } from "./networks.ts";

/** Until a change holds in every isolate. */
const copySeconds = 30;

export interface NetworkGate {
  /** The address that counts, or null where nobody vouches for one. */
  addressOf(request: Request): string | null;
  isAllowed(comer: Comer, request: Request): Promise<boolean>;
  /** Ask it after the credential: a stranger is not told of lists. @throws Fault `forbidden` */
  require(comer: Comer, request: Request): Promise<void>;
  /** The next question reads the lists anew: they were changed here. */
  forget(): void;
}

export interface NetworkGatePorts {
  readonly clock: Clock;
  load(): Promise<Networks>;
  addressOf(headers: Headers): string | null;
}

export function createNetworkGate({ clock, load, addressOf }: NetworkGatePorts): NetworkGate {
  // A resolved value: a promise kept across requests would tie one request to another's.
  let copy: { readonly networks: Networks; readonly until: EpochMs } | null = null;
  let forgotten = 0;
  const current = async (): Promise<Networks> => {
    const now = clock();
    if (copy !== null && now < copy.until) return copy.networks;
    const before = forgotten;
    const networks = await load().catch((cause: unknown) => {
      // Closed and not open: a list that cannot be read may be one that shuts this caller out.
      throw new Fault("unavailable", "the allowed networks cannot be read now", { cause, retryAfterSeconds: 5 });
    });
    // What was read before a change must not outlive it here.
    if (before === forgotten) copy = { networks, until: (now + copySeconds * 1000) as EpochMs };
    return networks;
  };
  const isAllowed = async (comer: Comer, { headers }: Request) => allows((await current())[comer], addressOf(headers));
  return {
    addressOf: ({ headers }) => addressOf(headers),
    isAllowed,
    async require(comer, request) {
      if (!(await isAllowed(comer, request))) throw outside(comer);
    },
    forget() {
      copy = null;
      forgotten += 1;
    },
  };
}

export function outside(comer: Comer): Fault {
  return new Fault("forbidden", `your address is outside of the networks that ${comer} may come from`);
}
