/** What a mark names: one token, those of a subject, session or client, or all of an issuer. */
export type MarkKind =
  | 'token'
  | 'subject'
  | 'session'
  /** Those tokens of a subject that do not say of which session they are. */
  | 'sessionless'
  | 'client'
  | 'all'

/** A mark on tokens: they are refused if they were issued up to its time, in whole seconds, or do not say when. */
export interface Mark {
  readonly kind: MarkKind
  /** The exact `iss` of the tokens; empty for those of every issuer. */
  readonly issuer: string
  /** The `jti`, `sub`, `sid` or client id; empty for `all`. */
  readonly value: string
  /** Seconds since the epoch. Tokens issued in this second are still refused; of one `token` it means nothing. */
  readonly issuedUntil: number
}

/** In `issuer`: every issuer. */
export const everyIssuer = ''

/** Longest `jti`, `sub`, `sid` or client id of a mark, in characters. */
export const maxValueLength = 1024

/** Whether a value can be that of a mark. */
export function isMarkValue(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxValueLength
}
