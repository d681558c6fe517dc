import { claimOf, type Principal } from '../token/principal.ts'
import { everyIssuer, type Mark, type MarkKind } from './mark.ts'

type Valued = Exclude<MarkKind, 'all'>

/** The marks on the tokens of one issuer: by value, the last second whose tokens are refused. */
interface IssuerMarks extends Record<Valued, Map<string, number>> {
  all: number | undefined
}

const never = Number.NEGATIVE_INFINITY

/**
 * Marks in memory. Of two on the same tokens the later counts, and one on all tokens of an issuer takes the place of
 * the others up to its time: a mark never makes tokens good again.
 */
export class Marks {
  readonly #byIssuer = new Map<string, IssuerMarks>()
  #size = 0

  /** How many there are, without those on all tokens of an issuer. */
  get size(): number {
    return this.#size
  }

  /** Adds a mark; tells whether it refuses more than was refused before. */
  add(mark: Mark): boolean {
    if (this.#isPointless(mark)) return false
    const { kind, issuer, value, issuedUntil } = mark
    const marks = this.#byIssuer.get(issuer) ?? noMarks()
    this.#byIssuer.set(issuer, marks)
    if (kind === 'all') {
      marks.all = issuedUntil
      this.#dropCovered(issuer, issuedUntil)
    } else {
      if (!marks[kind].has(value)) this.#size++
      marks[kind].set(value, issuedUntil)
    }
    return true
  }

  /** Whether a mark is on the token of a principal. */
  covers(principal: Principal): boolean {
    if (this.#byIssuer.size === 0) return false
    const own = this.#byIssuer.get(principal.issuer)
    const every = this.#byIssuer.get(everyIssuer)
    return (
      (own !== undefined && isCovered(principal, own)) ||
      (every !== undefined && isCovered(principal, every))
    )
  }

  /** All marks but those on all tokens of an issuer. */
  *[Symbol.iterator](): Generator<Mark> {
    for (const [issuer, marks] of this.#byIssuer)
      for (const kind of valuedKinds)
        for (const [value, issuedUntil] of marks[kind]) yield { kind, issuer, value, issuedUntil }
  }

  #isPointless({ kind, issuer, value, issuedUntil }: Mark): boolean {
    const marks = this.#byIssuer.get(issuer)
    const all = Math.max(marks?.all ?? never, this.#byIssuer.get(everyIssuer)?.all ?? never)
    const same = kind === 'all' ? never : (marks?.[kind].get(value) ?? never)
    return issuedUntil <= Math.max(all, same)
  }

  #dropCovered(issuer: string, until: number): void {
    for (const [name, marks] of this.#byIssuer) {
      if (issuer !== everyIssuer && name !== issuer) continue
      for (const kind of valuedKinds)
        for (const [value, issuedUntil] of marks[kind])
          if (issuedUntil <= until) {
            marks[kind].delete(value)
            this.#size--
          }
    }
  }
}

const valuedKinds: readonly Valued[] = ['token', 'subject', 'session', 'sessionless', 'client']

function noMarks(): IssuerMarks {
  return {
    all: undefined,
    token: new Map(),
    subject: new Map(),
    session: new Map(),
    sessionless: new Map(),
    client: new Map()
  }
}

function isCovered(principal: Principal, marks: IssuerMarks): boolean {
  if (marks.token.size > 0 && isNamed(principal, marks.token)) return true
  const until = lastMark(principal, marks)
  if (until === undefined) return false
  const iat = claimOf(principal, 'iat')
  return typeof iat !== 'number' || Math.floor(iat) <= until
}

/** By its `jti`, or by the claim that its issuer has in place of that: who revokes it may have read either. */
function isNamed(principal: Principal, tokens: ReadonlyMap<unknown, number>): boolean {
  return tokens.has(claimOf(principal, 'jti')) || tokens.has(principal.tokenId)
}

/** The latest time of the marks on a token; undefined if there is none, as for nearly all tokens. */
function lastMark(principal: Principal, marks: IssuerMarks): number | undefined {
  const { subject, clientId } = principal
  const sid = claimOf(principal, 'sid')
  let last = marks.all
  const look = (found: number | undefined): void => {
    if (found !== undefined && (last === undefined || found > last)) last = found
  }
  look(get(marks.subject, subject))
  look(get(marks.client, clientId))
  look(sid === undefined ? get(marks.sessionless, subject) : get(marks.session, sid))
  return last
}

/** Most maps are empty when remembered tokens are swept, and texts that were never looked up cost a hash. */
function get(map: ReadonlyMap<unknown, number>, value: unknown): number | undefined {
  return map.size === 0 ? undefined : map.get(value)
}
