/** What a verified access token says of its caller. Frozen, and shared by all requests with that token. */
export interface Principal {
  /** The token's `iss`, exactly as configured. */
  readonly issuer: string
  /** The token's `sub`: unique only together with the issuer. */
  readonly subject: string
  /** `client_id`, or `azp` where the issuer sends that; absent if the token names no client. */
  readonly clientId?: string
  /** The granted scopes, in the token's order, without repetitions. */
  readonly scopes: readonly string[]
  /** The token's `aud`, always as a list. */
  readonly audience: readonly string[]
  /** The token's `exp`: seconds since the epoch. */
  readonly expiresAt: number
  /** All claims of the token, deeply frozen. Only those named above were checked. */
  readonly claims: Readonly<Record<string, unknown>>
}
