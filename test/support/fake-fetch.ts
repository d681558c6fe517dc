import type { BoundedFetch, BoundedResponse } from '../../src/issuer/bounded-fetch.ts'

/** A {@link BoundedFetch} without a network: what it says of each URL, and the URLs it was asked for. */
export interface FakeFetch {
  readonly fetch: BoundedFetch
  readonly asked: readonly string[]
  /** Sets the answer for a URL: a JSON value with status 200, or a whole answer. */
  readonly answer: (url: string, value: unknown, response?: Partial<BoundedResponse>) => void
}

/** Makes a fake that answers 404 to everything but what it is told. */
export function fakeFetch(answers: Readonly<Record<string, unknown>> = {}): FakeFetch {
  const asked: string[] = []
  const known = new Map<string, BoundedResponse>()
  const answer: FakeFetch['answer'] = (url, value, response) => {
    const body = typeof value === 'string' ? value : JSON.stringify(value)
    known.set(url, { status: 200, headers: {}, body: Buffer.from(body), ...response })
  }
  for (const [url, value] of Object.entries(answers)) answer(url, value)
  const fetch: BoundedFetch = async (url) => {
    asked.push(url)
    return known.get(url) ?? { status: 404, headers: {}, body: Buffer.alloc(0) }
  }
  return { fetch, asked, answer }
}
