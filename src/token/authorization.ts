/** What the Authorization field of a request holds, before anything of the token itself is judged. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'invalid'; readonly description: string }
  | { readonly kind: Scheme; readonly token: string }

/** A scheme in which an access token can be sent: RFC 6750, RFC 9449 section 7.1. */
export type Scheme = 'bearer' | 'dpop'

const none: Credentials = Object.freeze({ kind: 'none' })
const twoFields = invalid('The request has more than one Authorization field')
const malformedField = invalid('The Authorization field is malformed')
const emptyToken = invalid('The Authorization field holds no access token')
const twoWords = invalid('The Authorization field holds more than one token')

/** One scheme (a token of RFC 9110 section 5.6.2), then spaces and the rest. */
const schemeAndRest = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: +(.*))?$/

/**
 * Finds the Authorization field among the raw header lines (name, value, name, value …).
 * @returns its value, `undefined` if there is none, `null` if there is more than one: Node's parsed headers
 *   would silently keep the first
 */
export function findAuthorization(rawHeaders: readonly string[]): string | undefined | null {
  let found: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name === undefined || name.length !== 13 || !isAuthorization(name)) continue
    if (found !== undefined) return null
    found = rawHeaders[index + 1]
  }
  return found
}

const bearerAlone: ReadonlySet<string> = new Set<Scheme>(['bearer'])

/**
 * Reads an Authorization field (RFC 6750 section 2.1, RFC 9110 section 11.4). A scheme that is not accepted counts as
 * no credentials. Does not judge the token: one with illegal characters is a defect of the token, not of the field.
 */
export function readAuthorization(
  field: string | undefined | null,
  accepted: ReadonlySet<string> = bearerAlone
): Credentials {
  if (field === undefined) return none
  if (field === null) return twoFields
  if (isPlainBearer(field)) return { kind: 'bearer', token: field.slice(7) }
  const [, scheme, rest] = schemeAndRest.exec(field) ?? []
  if (scheme === undefined) return malformedField
  const kind = scheme.toLowerCase()
  if (!accepted.has(kind)) return none
  const token = rest?.trim()
  if (!token) return emptyToken
  return /\s/.test(token) ? twoWords : { kind: kind as Scheme, token }
}

/** The scheme that a field names, whatever follows it; undefined if it is another one, or there is not one field. */
export function schemeOf(field: string | undefined | null): Scheme | undefined {
  const [, scheme = ''] = schemeAndRest.exec(field ?? '') ?? []
  const kind = scheme.toLowerCase()
  return kind === 'bearer' || kind === 'dpop' ? kind : undefined
}

/** What nearly all clients send, told without a regular expression over the whole token. */
function isPlainBearer(field: string): boolean {
  return (
    field.startsWith('Bearer ') && field.indexOf(' ', 7) === -1 && field.indexOf('\t', 7) === -1
  )
}

function isAuthorization(name: string): boolean {
  return (
    name === 'authorization' || name === 'Authorization' || name.toLowerCase() === 'authorization'
  )
}

function invalid(description: string): Credentials {
  return Object.freeze({ kind: 'invalid', description })
}
