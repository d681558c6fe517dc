import type {
  Client,
  Context,
  Grant,
  Provider,
  ResourceServerInfo
} from 'oidc-provider/lib/provider.js'
import type { OidcProvider } from './load-provider.ts'
import { developmentUsers, userScopes } from './users.ts'

/** The API that the tokens of a development issuer are for. */
export interface Api {
  /** What `aud` says. */
  readonly audience: string
  readonly scopes: readonly string[]
  /** The resource indicator (RFC 8707) of a request that names none. */
  readonly resource: string
}

interface GrantOwner {
  readonly accountId: string | undefined
  readonly clientId: string
  /** Resource indicators of the request. */
  readonly resources: readonly string[]
}

/**
 * What an access token for the API looks like (RFC 9068). There is one API here, so it is the same
 * whatever resource a client names. A client that acts for itself gets no scopes about users.
 */
export function resourceServerInfo(api: Api, client: Client): ResourceServerInfo {
  const alone = client.grantTypeAllowed('client_credentials')
  return {
    audience: api.audience,
    scope: [...(alone ? [] : userScopes), ...api.scopes].join(' '),
    accessTokenFormat: 'jwt',
    accessTokenTTL: 3600,
    jwt: { sign: { alg: 'RS256' } }
  }
}

/** Consents to all that a client may ask for, so that no page has to. */
export async function grantEverything(
  provider: Provider,
  api: Api,
  { accountId, clientId, resources }: GrantOwner
): Promise<Grant> {
  const grant = new provider.Grant({ accountId, clientId })
  grant.addOIDCScope([...userScopes, 'offline_access'].join(' '))
  for (const resource of resources) {
    grant.addResourceScope(resource, [...userScopes, ...api.scopes].join(' '))
  }
  await grant.save()
  return grant
}

/**
 * Answers the development-user grant: an access token for a user without any proof, to whom can reach
 * this issuer, which listens on loopback only. Scopes that don't exist are left out, as everywhere.
 */
export function developmentUser(
  { CustomOIDCProviderError }: OidcProvider,
  provider: Provider,
  api: Api
): (ctx: Context) => Promise<void> {
  return async (ctx) => {
    const { client, params } = ctx.oidc
    const user = params['user'] ?? 'ada'
    if (!developmentUsers.has(user)) {
      const known = [...developmentUsers.keys()].join(' or ')
      throw new CustomOIDCProviderError('invalid_grant', `user must be ${known}`)
    }
    const info = resourceServerInfo(api, client)
    const token = new provider.AccessToken({ accountId: user, client, gty: 'development-user' })
    token.resourceServer = new provider.ResourceServer(api.resource, info)
    token.scope = common(params['scope'] ?? '', info.scope)
    ctx.body = {
      access_token: await token.save(),
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: token.scope
    }
  }
}

/** The scopes of a request that are on offer, without repetitions. */
export function common(requested: string, offered: string): string {
  const known = new Set(offered.split(' '))
  return [...new Set(requested.split(' '))].filter((scope) => known.has(scope)).join(' ')
}
