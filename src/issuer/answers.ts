import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { issuerUnavailable } from './upstream-problem.ts'

/** An answer of an issuer, and how long it may be used again. */
export interface Answer<Value> {
  readonly value: Value
  /** Milliseconds since the epoch. */
  readonly usableUntil: number
}

/** Gives the kept answer of that name, or asks for it. Rejects as `ask` does. */
export type Answers<Value> = (name: string, ask: () => Promise<Answer<Value>>) => Promise<Value>

export interface AnswersOptions {
  /** Most answers that are kept. */
  readonly max: number
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** Questions to one issuer at a time; what comes on top is told to come again. */
const maxRunning = 1000

/**
 * Keeps what an issuer answered for as long as it may be used; asks once at a time; keeps no failure.
 * @throws {ProblemError} `issuer-unavailable` for a question on top of a thousand that run
 */
export function createAnswers<Value>({ max, clock }: AnswersOptions): Answers<Value> {
  const answers = new LRUCache<string, Answer<Value>>({ max })
  const running = new Map<string, Promise<Value>>()

  const run = async (name: string, ask: () => Promise<Answer<Value>>): Promise<Value> => {
    const answer = await ask()
    answers.set(name, answer)
    return answer.value
  }

  return async (name, ask) => {
    const answer = answers.get(name)
    if (answer !== undefined && clock() < answer.usableUntil) return answer.value
    const known = running.get(name)
    if (known !== undefined) return known
    if (running.size >= maxRunning) throw issuerUnavailable(1)
    const asking = run(name, ask).finally(() => running.delete(name))
    running.set(name, asking)
    return asking
  }
}

/** Names an answer about a token, so that what keeps it holds no token. */
export function digestOf(...texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\n')).digest('base64url')
}
