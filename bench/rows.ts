import { randomUUID } from 'node:crypto'
import type { TestIssuer } from '../src/testing/issuer.ts'
import { garbage, measuredAlgorithms, type Mint, randomKeyIdTokens } from './tokens.ts'
import type { Traffic } from './traffic.ts'

/** The traffic of the table. Tokens that may repeat are made once, the others anew for each round. */
export function trafficOf(issuer: TestIssuer, mint: Mint, isQuick: boolean): readonly Traffic[] {
  const fewer = isQuick ? 400 : 1500
  const hour = 3600
  const past = Math.floor(Date.now() / 1000) - hour
  const refused = { goal: '≥ 0.70', status: 401 } as const
  const accepted = { goal: '≥ 0.88', status: 200 } as const
  const kept = (tokens: readonly string[]) => () => tokens
  return [
    ...measuredAlgorithms.map((algorithm) => ({
      ...accepted,
      name: `one token, ${algorithm}`,
      tokens: kept(mint(algorithm, 1))
    })),
    ...measuredAlgorithms.map((algorithm) => ({
      ...accepted,
      name: `1,000 tokens in rotation, ${algorithm}`,
      tokens: kept(mint(algorithm, 1000))
    })),
    ...(['RS256', 'ES256'] as const).map((algorithm) => ({
      name: `every token new, ${algorithm}`,
      goal: '',
      status: 200 as const,
      once: true,
      tokens: () => mint(algorithm, fewer)
    })),
    {
      ...refused,
      name: 'expired',
      tokens: kept(mint('RS256', 200, { claims: { iat: past - hour, exp: past } }))
    },
    {
      ...refused,
      name: 'wrong audience',
      tokens: kept(mint('RS256', 200, { claims: { aud: 'https://other.example.com' } }))
    },
    {
      ...refused,
      name: 'unknown kid',
      tokens: kept(mint('RS256', 200, { kid: randomUUID() }))
    },
    { ...refused, name: 'random kids', tokens: () => randomKeyIdTokens(issuer, fewer * 2) },
    { ...refused, name: 'garbage', tokens: kept(garbage(999)) }
  ]
}
