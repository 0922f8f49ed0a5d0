/** As much of sshpk as is used: its own types bring in all of Node's, which would hide what workerd does not have. */
declare module "sshpk" {
  class Key {
    readonly type: string;
    /** In bits. */
    readonly size: number;
    comment?: string;
    toString(format: "ssh"): string;
    fingerprint(algorithm: "sha256"): { toString(): string };
  }
  class PrivateKey {
    readonly type: string;
    comment?: string;
    static parse(data: string, format: string): PrivateKey;
    toPublic(): Key;
    toString(format: "openssh"): string;
  }
  const sshpk: {
    PrivateKey: typeof PrivateKey;
    parsePrivateKey(data: string, format: "auto", options: { passphrase?: string }): PrivateKey;
  };
  export default sshpk;
}
