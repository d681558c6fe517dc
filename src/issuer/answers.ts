import { createHash } from 'node:crypto'
import type { LRUCache } from 'lru-cache'
import { issuerUnavailable } from './upstream-problem.ts'

/** An answer of an issuer, and how long it may be used again. */
export interface Answer<Value> {
  readonly value: Value
  /** Milliseconds since the epoch. */
  readonly usableUntil: number
  /** Until when it may be used while the next one is asked for: milliseconds since the epoch. Default: not at all. */
  readonly staleUntil?: number
}

/** Asks an issuer, given the last answer that is kept. */
type Ask<Value> = (known: Value | undefined) => Promise<Answer<Value>>

/** What an issuer answered. */
export interface Answers<Value> {
  /** Gives the kept answer of that name, or asks for it. Rejects as `ask` does. */
  (name: string, ask: Ask<Value>): Promise<Value>
  /**
   * Has the next call ask again, because this answer turned out to be of no use. One that is not ten seconds old stays:
   * an issuer whose answers never are of use would be asked by every request.
   */
  forget(name: string, value: Value): void
}

/** What is kept of answers, by their names. */
export type AnswerMemory<Value> = LRUCache<string, Answer<Value> & { readonly since: number }>

export interface AnswersOptions<Value> {
  /** Where answers are kept. Called with the first question: some take the memory for all of them at once. */
  readonly memory: () => AnswerMemory<Value>
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** Milliseconds for which an answer can not be forgotten. */
const minAge = 10_000
/** Questions to one issuer at a time; what comes on top is told to come again. */
const maxRunning = 1000

/**
 * Keeps what an issuer answered for as long as it may be used; asks once at a time; keeps no failure.
 * @throws {ProblemError} `issuer-unavailable` for a question on top of a thousand that run
 */
export function createAnswers<Value>({ memory, clock }: AnswersOptions<Value>): Answers<Value> {
  let answers: AnswerMemory<Value> | undefined
  const running = new Map<string, Promise<Value>>()

  const run = async (name: string, ask: Ask<Value>): Promise<Value> => {
    const answer = await ask(answers?.get(name)?.value)
    answers?.set(name, { ...answer, since: clock() })
    return answer.value
  }

  const start = async (name: string, ask: Ask<Value>): Promise<Value> => {
    if (running.size >= maxRunning) throw issuerUnavailable(1)
    const asking = run(name, ask).finally(() => running.delete(name))
    running.set(name, asking)
    return asking
  }

  const read = async (name: string, ask: Ask<Value>): Promise<Value> => {
    answers ??= memory()
    const answer = answers.get(name)
    if (answer !== undefined && clock() < answer.usableUntil) return answer.value
    const asking = running.get(name) ?? start(name, ask)
    if (answer?.staleUntil === undefined || clock() >= answer.staleUntil) return asking
    asking.catch(() => undefined)
    return answer.value
  }

  const forget = (name: string, value: Value): void => {
    const answer = answers?.get(name)
    if (answer === undefined || answer.value !== value || clock() < answer.since + minAge) return
    // not deleted: whoever asks next is told it
    answers?.set(name, { ...answer, usableUntil: 0, staleUntil: 0 })
  }

  return Object.assign(read, { forget })
}

/** Names an answer about a token, so that what keeps it holds no token. */
export function digestOf(...texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\n')).digest('base64url')
}
