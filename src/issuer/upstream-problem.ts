import { ProblemError } from '../http/problem.ts'
import type { UpstreamError } from './bounded-fetch.ts'

/** The problem of a request for which an issuer could not be asked (RFC 9110 sections 15.6.3 to 15.6.5). */
export function problemOfUpstream(error: UpstreamError, detail: string): ProblemError {
  if (error.fault === 'timeout') {
    return new ProblemError('gateway-timeout', {
      detail: 'The issuer did not answer in time.',
      cause: error
    })
  }
  return error.fault === 'unreachable' ? issuerUnavailable(5, error) : badGateway(detail, error)
}

/** The problem of an answer that can not be used; `detail` says nothing of what the issuer said. */
export function badGateway(detail: string, cause?: unknown): ProblemError {
  return new ProblemError('bad-gateway', { detail, cause })
}

/** The problem of an issuer that is down, or says that it has too much to do. */
export function issuerUnavailable(retryAfterSeconds: number, cause?: unknown): ProblemError {
  return new ProblemError('issuer-unavailable', {
    detail: 'The issuer can not be reached; try again later.',
    headers: { 'retry-after': String(retryAfterSeconds) },
    cause
  })
}
