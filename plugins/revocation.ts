import type { FastifyInstance } from 'fastify'
import { check } from '../src/config/option-check.ts'
import type { TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import type { RevocationList } from '../src/revocation/revocation-list.ts'
import type { RevocationStore } from '../src/revocation/revocation-store.ts'
import type { Revocations } from '../src/revocation/revocations.ts'

/** Options of the plugin about tokens that end before they expire. */
export interface RevocationOptions {
  /** Keeps what is revoked, for all instances. Default: nothing can be revoked. */
  readonly revocationStore?: RevocationStore | undefined
  /** Seconds that a token lives at most, 60 to 157,680,000 (five years). Default 2,592,000 (30 days). */
  readonly maxTokenLifetime?: number | undefined
}

/**
 * Reads what is revoked, before the first request, and follows it until the app closes.
 * @returns undefined without a store
 * @throws {TypeError} for a wrong option, and whatever the store throws
 */
export async function openRevocationList(
  app: FastifyInstance,
  { revocationStore: store, maxTokenLifetime = 2_592_000 }: RevocationOptions
): Promise<RevocationList | undefined> {
  const isLifetime =
    Number.isInteger(maxTokenLifetime) && maxTokenLifetime >= 60 && maxTokenLifetime <= 157_680_000
  check(isLifetime, 'maxTokenLifetime', maxTokenLifetime, '60 to 157680000 seconds')
  if (store === undefined) return undefined
  const { RevocationList } = await import('../src/revocation/revocation-list.ts')
  const list = new RevocationList({
    store,
    maxTokenLifetime,
    observer: {
      storeFailed: (err) => app.log.error({ err }, 'revoked tokens can not be read'),
      storeAnswers: () => app.log.info('revoked tokens can be read again'),
      marksFolded: ({ issuer, issuedUntil }) =>
        app.log.warn({ issuer, issuedUntil }, 'marks on revoked tokens were put into one')
    }
  })
  await list.start()
  app.addHook('onClose', async () => list.close())
  return list
}

/** What the plugin offers to revoke tokens with; undefined without a store. */
export async function offerRevocations(
  list: RevocationList | undefined,
  issuers: TrustedIssuers
): Promise<Revocations | undefined> {
  if (list === undefined) return undefined
  const { createRevocations } = await import('../src/revocation/revocations.ts')
  return createRevocations(list, issuers)
}
