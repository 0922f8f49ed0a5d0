/**
 * The public documents as they are answered, made once for as long as they say the same: relying parties all over ask for
 * them. They hold what ISSUER and the signing keys say, nothing of the request.
 */
import { sha256 } from "../crypto/digests.ts";
import { activeKey, type SigningKeys } from "../crypto/signing.ts";
import { toBase64Url, utf8 } from "../lib/bytes.ts";
import { bindingUnusable } from "../lib/fault.ts";
import { type Clock, toSeconds } from "../lib/time.ts";
import { discoveryDocument, publicJwks } from "./discovery.ts";

/** What was made before comes without a promise. */
type Soon<Value> = Value | Promise<Value>;

export interface PublicDocuments<Made> {
  discovery(): Soon<Made>;
  /** @throws Fault `binding_unusable` where no slot holds a usable key: verifiers would keep an empty key set. */
  keySet(): Soon<Made>;
}

export interface PublicDocumentsPorts {
  readonly issuer: string;
  readonly signing: SigningKeys;
  readonly clock: Clock;
}

/** `make` gets a document's text and its entity tag. */
export function createPublicDocuments<Made>(
  { issuer, signing, clock }: PublicDocumentsPorts,
  make: (text: string, etag: string) => Made,
): PublicDocuments<Made> {
  const made = new Map<string, Made>();
  async function prepare(name: string, content: unknown): Promise<Made> {
    const text = JSON.stringify(content);
    const document = make(text, `"${toBase64Url((await sha256(utf8(text))).slice(0, 16))}"`);
    made.set(name, document);
    return document;
  }
  return {
    discovery: () => made.get("discovery") ?? prepare("discovery", discoveryDocument(issuer)),
    keySet() {
      const now = toSeconds(clock());
      const active = activeKey(signing.keys, now);
      if (active === null) throw unusable(signing);
      // Nothing changes with time but which key is active, and so comes first.
      return made.get(active.kid) ?? prepare(active.kid, publicJwks(signing.keys, now));
    },
  };
}

function unusable({ problems }: SigningKeys) {
  const [problem] = problems;
  return bindingUnusable(problem?.binding ?? "SIGNING_KEY_1", problem?.detail ?? "is not set");
}
