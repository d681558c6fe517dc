import type { TestAlgorithm, TestIssuer } from '../../src/testing.ts'
import { testAlgorithms } from '../../src/testing/keys.ts'
import { keyFor } from './malformed-tokens.ts'
import type { Mutation } from './mutations.ts'
import { encode, rawToken, type Signer, signer } from './raw-token.ts'

/** What tokens are changed, and who can sign the result. */
export interface Material {
  readonly issuer: TestIssuer
  /** Another issuer, whose keys nobody trusts. */
  readonly stranger: TestIssuer
  /** A valid token by each algorithm. */
  readonly tokens: Readonly<Record<TestAlgorithm, string>>
}

/** Applies a change to the valid token of its algorithm. */
export function mutate(mutation: Mutation, material: Material): string {
  const token = material.tokens[mutation.alg]
  switch (mutation.kind) {
    case 'none':
      return token
    case 'bit':
      return changePart(token, mutation.part, (part) => flipBit(part, mutation.at))
    case 'text':
      return splice(token, mutation.at, mutation.remove, mutation.insert)
    case 'swap': {
      const other = material.tokens[mutation.from].split('.')[mutation.part] ?? ''
      return changePart(token, mutation.part, () => other)
    }
    default:
      return resign(token, mutation, material)
  }
}

type Resigned = Exclude<Mutation, { kind: 'none' | 'bit' | 'text' | 'swap' }>

function resign(token: string, mutation: Resigned, { issuer, stranger }: Material): string {
  const { alg } = mutation
  const [header = '', claims = ''] = token.split('.').map(decode)
  switch (mutation.kind) {
    case 'forge':
      return rawToken(header, claims, signerOf(stranger, alg))
    case 'mislabel': {
      const { as, keepKid } = mutation
      const kid = keepKid ? {} : { kid: keyFor(issuer, as).kid }
      return rawToken({ ...parse(header), alg: as, ...kid }, claims, signerOf(issuer, alg))
    }
    case 'header': {
      const changed = { ...parse(header), [mutation.name]: mutation.value }
      const signed = testAlgorithms.find((one) => one === changed['alg']) ?? alg
      return rawToken(changed, claims, signerOf(issuer, signed))
    }
    case 'claim': {
      const changed = { ...parse(claims), [mutation.name]: mutation.value }
      return rawToken(header, changed, signerOf(issuer, alg))
    }
    default: {
      const changed = { header, claims }
      changed[mutation.part] = splice(changed[mutation.part], mutation.at, 0, mutation.insert)
      return rawToken(changed.header, changed.claims, signerOf(issuer, alg))
    }
  }
}

function changePart(token: string, index: number, change: (part: string) => string): string {
  return token
    .split('.')
    .map((part, at) => (at === index ? change(part) : part))
    .join('.')
}

function flipBit(part: string, at: number): string {
  const bytes = Buffer.from(part, 'base64url')
  const bit = Math.floor(at * bytes.length * 8)
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return encode(bytes)
}

function splice(text: string, at: number, remove: number, insert: string): string {
  const index = Math.floor(at * (text.length + 1))
  return text.slice(0, index) + insert + text.slice(index + remove)
}

function signerOf(issuer: TestIssuer, alg: TestAlgorithm): Signer {
  return signer(alg, keyFor(issuer, alg).privateKey)
}

function decode(part: string): string {
  return Buffer.from(part, 'base64url').toString()
}

function parse(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>
}
