import { ProblemError } from '../http/problem.ts'

/** The answer to a request that the database could not serve: 503, and when to try again. */
export function storageUnavailable(cause: unknown): ProblemError {
  return new ProblemError('service-unavailable', {
    detail: 'The database did not answer. Try again later.',
    headers: { 'Retry-After': '5' },
    cause
  })
}
