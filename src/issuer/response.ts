import { isObject } from '../json/object.ts'
import type { BoundedResponse } from './bounded-fetch.ts'
import { IssuerFaultError } from './issuer-fault.ts'

/** Octets of what an issuer answers about one token or one caller. */
export const maxAnswerBytes = 256 * 1024

/** The body of a 200 answer, if it is a JSON object. @throws {IssuerFaultError} */
export function parseJsonObject(
  { status, body }: BoundedResponse,
  what: string
): Readonly<Record<string, unknown>> {
  if (status !== 200) throw new IssuerFaultError(what, `answered with status ${status}`)
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    // without its cause, which goes to the log: a syntax error quotes the text, and that may be about a person
    throw new IssuerFaultError(what, 'is not JSON')
  }
  if (!isObject(value)) {
    throw new IssuerFaultError(what, 'is not a JSON object')
  }
  return value
}

/** The media type of an answer, in lower case and without parameters; empty if it has none. */
export function mediaTypeOf({ headers }: BoundedResponse): string {
  const [type = ''] = String(headers['content-type'] ?? '').split(';')
  return type.trim().toLowerCase()
}

/** The issuer's own wish (RFC 9110 section 10.2.3) in seconds, if it is a sane one; else 5. */
export function retryAfterOf({ headers }: BoundedResponse): number {
  const seconds = Number(headers['retry-after'])
  return Number.isInteger(seconds) && seconds > 0 && seconds <= 3600 ? seconds : 5
}
