/** Holds agents to the client certificates that their type requires. */
import { equalDigests } from "../crypto/digests.ts";
import { utf8 } from "../lib/bytes.ts";
import { Fault } from "../lib/fault.ts";

/** Of each type that requires a certificate, by its id: the fingerprints of which one must be presented. */
export type RequiredCertificates = ReadonlyMap<string, readonly string[]>;

/** A certificate that was verified, by its fingerprint, or in words why there is none. */
export type Certificate = { readonly fingerprint: string } | { readonly missing: string };

/** What a request's certificate opens, or the lack of one leaves closed. */
export interface Presented {
  /** The agent types that require a certificate and do not list this one. */
  readonly closedTypes: readonly string[];
  /** For an agent of one of these. */
  refusal(): Fault;
  /** Ask it after the credential: a stranger is not told of certificates. @throws Fault `forbidden` */
  require(agentTypeId: string): void;
}

export interface CertificateGate {
  presented(request: Request): Promise<Presented>;
}

export interface CertificateGatePorts {
  /** As it is, or was a moment ago. @throws Fault `unavailable`: closed and not open where it cannot be read */
  required(): Promise<RequiredCertificates>;
  certificateOf(request: Request): Certificate;
}

export function createCertificateGate({ required, certificateOf }: CertificateGatePorts): CertificateGate {
  return { presented: async (request) => judge(await required(), certificateOf(request)) };
}

/** Pure. */
export function judge(required: RequiredCertificates, certificate: Certificate): Presented {
  const closedTypes = [...required].filter(([, listed]) => !isListed(listed, certificate)).map(([id]) => id);
  const refusal = () => {
    const why = "missing" in certificate ? certificate.missing : "the one that was presented is not listed";
    return new Fault("forbidden", `agents of this type must present a client certificate that it lists: ${why}`);
  };
  return {
    closedTypes,
    refusal,
    require(agentTypeId) {
      if (closedTypes.includes(agentTypeId)) throw refusal();
    },
  };
}

/** Every listed one is compared, each to its end: the time taken tells nothing of how near a guess was. */
function isListed(listed: readonly string[], certificate: Certificate): boolean {
  if ("missing" in certificate) return false;
  const presented = utf8(certificate.fingerprint);
  return listed.map((fingerprint) => equalDigests(utf8(fingerprint), presented)).includes(true);
}
