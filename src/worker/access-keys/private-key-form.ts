/**
 * What a private key says of itself, before any cipher or parser is let near it: how it is wrapped, and what opening it
 * costs. One form alone is taken, so that the parser behind cannot read another file than was judged here. Pure.
 */
import { fromBase64, toHex } from "../lib/bytes.ts";

/** How it is encrypted: not at all, as PEM knows it (RFC 1421 headers, PKCS#8), or as OpenSSH does. */
export interface PrivateKeyForm {
  readonly encrypted: "no" | "pem" | "openssh";
}

/** Why a private key is not taken. Never quotes it. */
export interface FormRefusal {
  readonly reason: string;
}

/** A passphrase costs as much to try as the file says. OpenSSH writes 16 or 24 rounds, and openssl 2,048 iterations. */
const bcryptRoundsMax = 64;
const pbkdf2IterationsMax = 100_000;

/** Its first line, the headers of an encrypted one, base64, its last line: once, and nothing else. */
const envelope =
  /^-----BEGIN ((?:[A-Z0-9]+ )?)PRIVATE KEY-----\n(Proc-Type: ?4, ?ENCRYPTED\nDEK-Info: ?[A-Z0-9-]+,[0-9A-Fa-f]+\n\n)?([A-Za-z0-9+/=\s]+)-----END \1PRIVATE KEY-----\n$/;

export function examinePrivateKey(pem: string): PrivateKeyForm | FormRefusal {
  const [, label, headers, text] = envelope.exec(pem) ?? [];
  const body = text === undefined ? null : fromBase64(text.replace(/\s/g, ""));
  if (body === null) return { reason: "is damaged: between its first and its last line is more than base64" };
  // The parser opens what the headers are about first, and then what nobody has judged.
  if (headers !== undefined && (label === "OPENSSH " || label === "ENCRYPTED ")) {
    return { reason: "is encrypted in two ways at once: write it anew in one" };
  }
  if (label === "OPENSSH ") return examineOpenSsh(body);
  if (headers !== undefined) return { encrypted: "pem" };
  return label === "ENCRYPTED " ? examinePbes2(body) : { encrypted: "no" };
}

/** PROTOCOL.key: magic, cipher, kdf, its options (salt, rounds), count of keys, public half, private half. */
function examineOpenSsh(body: Uint8Array): PrivateKeyForm | FormRefusal {
  const damaged = { reason: "is damaged: it is no OpenSSH private key" };
  const magic = "openssh-key-v1\0";
  if (asciiOf(body.subarray(0, magic.length)) !== magic) return damaged;
  try {
    const file = sshReader(body.subarray(magic.length));
    const cipher = asciiOf(file.bytes());
    const kdf = asciiOf(file.bytes());
    const options = sshReader(file.bytes());
    if (kdf === "none") return { encrypted: "no" };
    if (kdf !== "bcrypt") return damaged;
    options.bytes();
    const rounds = options.number();
    if (rounds > bcryptRoundsMax) {
      return {
        reason: `asks for ${rounds} bcrypt rounds, and may for ${bcryptRoundsMax}: write it anew with ssh-keygen -p -a 16`,
      };
    }
    if (!/^aes(128|192|256)-(ctr|cbc)$/.test(cipher)) {
      return { reason: "has a cipher that is not read here: write it anew with ssh-keygen -p -Z aes256-ctr" };
    }
    file.number();
    file.bytes();
    // What is no whole number of blocks would fail in an event of the parser's stream, past every catch.
    return file.bytes().length % 16 === 0 ? { encrypted: "openssh" } : damaged;
  } catch (error) {
    if (error instanceof RangeError) return damaged;
    throw error;
  }
}

/** RFC 4251 section 5. @throws RangeError behind the end */
function sshReader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const number = () => {
    at += 4;
    return view.getUint32(at - 4);
  };
  return {
    number,
    bytes() {
      const length = number();
      at += length;
      if (at > bytes.length) throw new RangeError("behind the end");
      return bytes.subarray(at - length, at);
    },
  };
}

function examinePbes2(body: Uint8Array): PrivateKeyForm | FormRefusal {
  const iterations = pbkdf2Iterations(body);
  if (iterations === null) return { reason: "is encrypted in a way that is not known here" };
  if (iterations <= pbkdf2IterationsMax) return { encrypted: "pem" };
  return { reason: `asks for ${iterations} PBKDF2 iterations, and may for ${pbkdf2IterationsMax}` };
}

const pbes2 = "2a864886f70d01050d";
const pbkdf2 = "2a864886f70d01050c";

/** The iterations of an EncryptedPrivateKeyInfo under PBES2 with PBKDF2 (RFC 5208 section 6, RFC 8018 appendix A), or null. */
function pbkdf2Iterations(body: Uint8Array): number | null {
  const [sequence, octets, integer, identifier] = [0x30, 0x04, 0x02, 0x06];
  const file = derReader(body);
  const known =
    file.enter(sequence) &&
    file.enter(sequence) &&
    file.hex(identifier) === pbes2 &&
    file.enter(sequence) &&
    file.enter(sequence) &&
    file.hex(identifier) === pbkdf2 &&
    file.enter(sequence) &&
    file.hex(octets) !== null;
  const iterations = known ? file.hex(integer) : null;
  return iterations === null || iterations === "" ? null : Number.parseInt(iterations, 16);
}

/** Walks a DER file (X.690 section 10.1) from element to element; lengths of more than two bytes are not known to it. */
function derReader(bytes: Uint8Array) {
  let at = 0;
  /** Past a tag and its length; answers the length. */
  function head(tag: number): number | null {
    if (bytes[at] !== tag) return null;
    const [first = 0, second = 0, third = 0] = bytes.subarray(at + 1, at + 4);
    const longer = first < 0x80 ? 0 : first & 0x7f;
    if (longer > 2) return null;
    at += 2 + longer;
    return [first, second, second * 256 + third][longer] ?? null;
  }
  return {
    enter: (tag: number) => head(tag) !== null,
    /** An element's content; null where it is another's. */
    hex(tag: number): string | null {
      const length = head(tag);
      if (length === null) return null;
      at += length;
      return toHex(bytes.subarray(at - length, at));
    },
  };
}

function asciiOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 64));
}
