/** As much of Node's modules as is used: all of its types would hide what workerd does not have. The tests have them, and exclude this. */
declare module "node:buffer" {
  export function isUtf8(bytes: Uint8Array): boolean;
}
declare module "node:crypto" {
  export function createHash(algorithm: "sha256"): {
    update(bytes: Uint8Array): void;
    digest(): Uint8Array<ArrayBuffer>;
  };
  export function createPrivateKey(from: { key: string; passphrase: string }): {
    export(form: { type: "pkcs8"; format: "pem" }): string | Uint8Array;
  };
  export function hkdfSync(
    digest: "sha256",
    key: Uint8Array,
    salt: Uint8Array,
    info: Uint8Array,
    length: number,
  ): ArrayBuffer;
}
