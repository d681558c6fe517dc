import type { BoundedResponse } from './bounded-fetch.ts'

/** The issuer's own wish (RFC 9110 section 10.2.3) in seconds, if it is a sane one; else 5. */
export function retryAfterOf({ headers }: BoundedResponse): number {
  const seconds = Number(headers['retry-after'])
  return Number.isInteger(seconds) && seconds > 0 && seconds <= 3600 ? seconds : 5
}
