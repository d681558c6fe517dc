import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import guard, { type LatchkeyOptions } from '../plugins/latchkey.ts'
import protectedResource from '../routes/protected-resource.ts'
import { registerReceivers } from '../routes/receivers.ts'
import { metadataBelowRoot, metadataPath, metadataRoot } from './http/resource-metadata.ts'

/**
 * Guards every route of the context it is registered in with the access tokens of the trusted issuers: deny by
 * default, by what `config.auth` of a route declares. With `publicUrl` it also serves the metadata that its challenges
 * point to (RFC 9728).
 * @throws {TypeError} at registration, for a wrong option or a wrong `config.auth`
 */
async function latchkey(app: FastifyInstance, options: LatchkeyOptions): Promise<void> {
  await app.register(guard, options)
  await registerReceivers(app)
  const { publicUrl } = options
  if (publicUrl === undefined) return
  if (app.prefix !== '') throw outsideTheRoot(app.prefix)
  await app.register(protectedResource, {
    resource: typeof publicUrl === 'string' ? () => publicUrl : publicUrl,
    paths:
      typeof publicUrl === 'string' ? [metadataPath(publicUrl)] : [metadataRoot, metadataBelowRoot],
    issuers: () => app.latchkey.issuers,
    scopes: () => app.latchkey.scopes(),
    authorizationDetailsTypes: () => app.latchkey.authorizationDetailsTypes(),
    senderConstraints: () => app.latchkey.senderConstraints
  })
}

function outsideTheRoot(prefix: string): TypeError {
  return new TypeError(
    `publicUrl: found in a context with the prefix ${prefix}, allowed: in one without, because its metadata ` +
      'stands at the root of the host (RFC 9728 section 3.1); give the prefix to the routes inside'
  )
}

const plugin = fp(latchkey, { name: 'latchkey-with-metadata', fastify: '5.x' })

export default plugin
export type { RefusedBecause } from '../plugins/denials.ts'
export { describeGuards, type GuardDescriptions } from '../plugins/guard-description.ts'
export type { Latchkey, LatchkeyOptions } from '../plugins/latchkey.ts'
// its file types `request.exchangeToken`: compilers of users only read what is exported from here
export type { ExchangeToken } from '../plugins/token-exchange.ts'
export type { ProofOptions } from './binding/binding-options.ts'
export { ProblemError, type ProblemKind } from './http/problem.ts'
export type { DecryptionOptions } from './issuer/decryption.ts'
export type { IdTokenOptions } from './issuer/id-token-options.ts'
export type { KeySetSnapshot, KeySetState, KeySetStore } from './issuer/key-set.ts'
export type { IntrospectionOptions } from './issuer/opaque-token-options.ts'
export type { PresetName } from './issuer/presets.ts'
export type { ProfileName } from './issuer/profile.ts'
export type { ResolveIssuer } from './issuer/resolved-issuers.ts'
export type { StaticKeySet } from './issuer/static-keys.ts'
export type { TokenExchangeSettings } from './issuer/token-exchange-options.ts'
export type { ExchangedToken, ExchangeTarget } from './issuer/token-exchange.ts'
export type { IssuerOptions } from './issuer/issuer-options.ts'
export type { IssuerChanges } from './issuer/trusted-issuers.ts'
export type { Mark, MarkKind } from './revocation/mark.ts'
export type { RevocationStore, StoredMark } from './revocation/revocation-store.ts'
export type { Revocations } from './revocation/revocations.ts'
export type { RevocationTarget } from './revocation/target.ts'
export type { UserInfoMode } from './issuer/userinfo-modes.ts'
export type { UserInfoClaims } from './issuer/userinfo-answer.ts'
export type { Algorithm } from './token/algorithms.ts'
export type { DetailsDeclaration } from './token/authorization-details.ts'
export type { ClaimNames } from './token/claim-mapping.ts'
export type { BindingMode, Confirmation } from './token/confirmation.ts'
export type { GuardDeclaration } from './token/guard.ts'
export type { Principal } from './token/principal.ts'
export type { RequiredClaims } from './token/required-claims.ts'
export type { ScopeImplications } from './token/scope-hierarchy.ts'
