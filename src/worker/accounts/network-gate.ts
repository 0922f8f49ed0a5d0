/** Holds whoever has a valid credential to the networks allowed for them. */
import type { Comer, Networks } from "../../protocol/networks.ts";
import { Fault } from "../lib/fault.ts";
import { allows } from "./networks.ts";

export interface NetworkGate {
  /** The address that counts, or null where nobody vouches for one. */
  addressOf(request: Request): string | null;
  isAllowed(comer: Comer, request: Request): Promise<boolean>;
  /** Ask it after the credential: a stranger is not told of lists. @throws Fault `forbidden` */
  require(comer: Comer, request: Request): Promise<void>;
}

export interface NetworkGatePorts {
  /**
   * The lists as they are, or were a moment ago. Closed and not open where they cannot be read: one may shut this
   * caller out. @throws Fault `unavailable`
   */
  lists(): Promise<Networks>;
  addressOf(headers: Headers): string | null;
}

export function createNetworkGate({ lists, addressOf }: NetworkGatePorts): NetworkGate {
  const isAllowed = async (comer: Comer, { headers }: Request) => allows((await lists())[comer], addressOf(headers));
  return {
    addressOf: ({ headers }) => addressOf(headers),
    isAllowed,
    async require(comer, request) {
      if (!(await isAllowed(comer, request))) throw outside(comer);
    },
  };
}

export function outside(comer: Comer): Fault {
  return new Fault("forbidden", `your address is outside of the networks that ${comer} may come from`);
}
