/** What the parts without a logger report; each call is one thing that happened. Never given a token or claims. */
export interface Observer {
  /** The key set of an issuer was replaced. */
  keySetReplaced(event: { readonly issuer: string; readonly keys: number }): void
  /** An entry of a key set is not used. */
  keySkipped(event: {
    readonly issuer: string
    readonly keyId: string | undefined
    readonly fault: string
  }): void
  /** Trouble with an issuer, or with keeping its keys; verification goes on with what there is. */
  issuerTrouble(event: {
    readonly issuer: string
    readonly doing: string
    readonly cause: unknown
  }): void
}

/** An observer that looks away. */
export const silentObserver: Observer = {
  keySetReplaced() {},
  keySkipped() {},
  issuerTrouble() {}
}
