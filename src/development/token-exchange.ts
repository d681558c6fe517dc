import { createLocalJWKSet, errors, type JWK, type JWTPayload, jwtVerify } from 'jose'
import type { Client, Context, Provider } from 'oidc-provider/lib/provider.js'
import { type Api, common } from './grants.ts'
import type { OidcProvider } from './load-provider.ts'
import { developmentUsers, userScopes } from './users.ts'

/** The parameters of the token exchange that are read. */
export const tokenExchangeParameters = [
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'actor_token',
  'audience',
  'resource',
  'scope'
]

interface TokenExchangeIssuer {
  readonly issuer: string
  readonly api: Api
  /** Public signing keys of this issuer. */
  readonly keys: readonly JWK[]
}

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

/** Where this issuer serves UserInfo: the audience of tokens for it. */
export function userInfoAudience(issuer: string): string {
  return `${issuer}/me`
}

/**
 * Answers the token exchange (RFC 8693): for a user's access token for the API, one for the API's own calls, to the named
 * audience or resource, or to UserInfo if none is named. It has no scope that the first lacks, and does not outlive it.
 */
export function exchangeToken(
  { CustomOIDCProviderError }: OidcProvider,
  provider: Provider,
  { issuer, api, keys }: TokenExchangeIssuer
): (ctx: Context) => Promise<void> {
  const keySet = createLocalJWKSet({ keys: [...keys] })
  const expected = { issuer, audience: api.audience, typ: 'at+jwt' }
  const refuse = (error: string, description: string): Error =>
    new CustomOIDCProviderError(error, description)

  const subjectOf = async (params: Context['oidc']['params']): Promise<JWTPayload> => {
    const {
      subject_token = '',
      subject_token_type,
      requested_token_type = accessTokenType
    } = params
    if (subject_token_type !== accessTokenType || requested_token_type !== accessTokenType)
      throw refuse('invalid_request', `only ${accessTokenType} can be exchanged, for its like`)
    if (params['actor_token'] !== undefined)
      throw refuse('invalid_request', 'actor_token is not supported')
    const verified = await jwtVerify(subject_token, keySet, expected).catch(unlessInvalid)
    if (verified !== undefined && developmentUsers.has(verified.payload.sub ?? ''))
      return verified.payload
    throw refuse('invalid_grant', 'subject_token is not a live access token of a user for this API')
  }

  return async (ctx) => {
    const { client, params } = ctx.oidc
    const subject = await subjectOf(params)
    const { audience = params['resource'] ?? userInfoAudience(issuer) } = params
    const token = createToken(provider, { client, subject, audience })
    const own = typeof subject['scope'] === 'string' ? subject['scope'] : ''
    const offered = audience === userInfoAudience(issuer) ? common(own, userScopes) : own
    token.scope = common(params['scope'] ?? offered, offered.split(' '))
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: accessTokenType,
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: token.scope
    }
  }
}

interface Exchanged {
  readonly client: Client
  readonly subject: JWTPayload
  readonly audience: string
}

function createToken(provider: Provider, { client, subject, audience }: Exchanged) {
  const { sub = '', exp = 0, scope } = subject
  const token = new provider.AccessToken({ accountId: sub, client, gty: 'token-exchange' })
  token.resourceServer = new provider.ResourceServer(audience, {
    audience,
    scope: typeof scope === 'string' ? scope : '',
    accessTokenFormat: 'jwt',
    accessTokenTTL: exp - Math.floor(Date.now() / 1000),
    jwt: { sign: { alg: 'RS256' } }
  })
  return token
}

function unlessInvalid(error: unknown): undefined {
  if (!(error instanceof errors.JOSEError)) throw error
}
