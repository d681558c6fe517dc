import { ProblemError } from '../http/problem.ts'

/** The conditional fields of a request (RFC 9110 section 13.1), as they came. */
export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

/** Whether If-None-Match says that the client has the document as it is: the weak comparison. */
export function isUnchanged({ ifNoneMatch }: Conditions, etag: string): boolean {
  return ifNoneMatch !== undefined && names(ifNoneMatch.replaceAll('W/"', '"'), etag)
}

/** Whether a request to PUT means a document that must not exist yet. */
export function isCreation({ ifMatch, ifNoneMatch }: Conditions): boolean {
  return ifMatch === undefined && ifNoneMatch?.trim() === '*'
}

/**
 * Refuses a request whose If-Match does not name this entity tag (RFC 9110 section 13.1.1); reads may come without.
 * @throws {ProblemError} `precondition-failed`
 */
export function checkMatch({ ifMatch }: Conditions, etag: string): void {
  if (ifMatch === undefined || names(ifMatch, etag)) return
  throw new ProblemError('precondition-failed', {
    detail:
      'If-Match does not name the document as it is now. Read it again, and send its ETag as it came, quotes included.'
  })
}

/**
 * Refuses a change of a document that exists, unless the client has seen the version it changes.
 * @throws {ProblemError} `precondition-failed` if a condition is false, `precondition-required` if
 *   there is no If-Match
 */
export function requireMatch(conditions: Conditions, etag: string): void {
  checkMatch(conditions, etag)
  if (isUnchanged(conditions, etag))
    throw new ProblemError('precondition-failed', {
      detail: 'The document exists, in a version that If-None-Match excludes.'
    })
  if (conditions.ifMatch === undefined)
    throw new ProblemError('precondition-required', {
      detail: 'Send If-Match with the ETag of the document as you last read it, then retry.'
    })
}

/** The strong comparison of a list of entity tags, or `*`, with one tag; `W/"1"` never equals `"1"`. */
function names(field: string, tag: string): boolean {
  return field.trim() === '*' || field.split(',').some((candidate) => candidate.trim() === tag)
}
