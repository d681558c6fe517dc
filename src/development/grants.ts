import type {
  Client,
  Context,
  Grant,
  Provider,
  ResourceServerInfo
} from 'oidc-provider/lib/provider.js'
import type { OidcProvider } from './load-provider.ts'
import { portOfLoopback } from './clients.ts'
import { administrator, developmentUsers, userScopes } from './users.ts'

/** The API that the tokens of a development issuer are for. */
export interface Api {
  /** What `aud` says. */
  readonly audience: string
  readonly scopes: readonly string[]
  /** Of these scopes, those that no user but ada gets. */
  readonly adminScopes: readonly string[]
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
 * What an access token for a resource looks like (RFC 9068, RFC 8707). A client that acts for itself gets no
 * scopes about users.
 */
export function resourceServerInfo(api: Api, resource: string, client: Client): ResourceServerInfo {
  const alone = client.grantTypeAllowed('client_credentials')
  return {
    audience: audienceOf(api, resource),
    scope: [...(alone ? [] : userScopes), ...api.scopes].join(' '),
    accessTokenFormat: 'jwt',
    accessTokenTTL: 3600,
    jwt: { sign: { alg: 'RS256' } }
  }
}

/**
 * The API itself, under whatever name, unless the resource is on another port of this machine: an API that somebody
 * builds beside it. Where the API does not know its own port, there is no telling others from it.
 */
function audienceOf({ audience }: Api, resource: string): string {
  const own = portOfLoopback(audience)
  const other = portOfLoopback(resource)
  return own > 0 && other > 0 && own !== other ? resource : audience
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
    // rejected, not left out: a scope that was neither would be asked for without end
    const refused = api.scopes.filter((scope) => !scopesFor(accountId, api).includes(scope))
    grant.rejectResourceScope(resource, refused.join(' '))
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
    const info = resourceServerInfo(api, api.resource, client)
    const token = new provider.AccessToken({ accountId: user, client, gty: 'development-user' })
    token.resourceServer = new provider.ResourceServer(api.resource, info)
    token.scope = common(params['scope'] ?? '', [...userScopes, ...scopesFor(user, api)])
    ctx.body = {
      access_token: await token.save(),
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: token.scope
    }
  }
}

/** When the user signed in, as far as a grant knows: asking with the development-user grant is a sign-in. */
export function authTimeOf({ oidc }: Context, { gty = '' }: { readonly gty?: string }) {
  const { AuthorizationCode, RefreshToken, DeviceCode } = oidc.entities
  const now = gty.startsWith('development-user') ? Math.floor(Date.now() / 1000) : undefined
  const signedIn = AuthorizationCode ?? RefreshToken ?? DeviceCode
  const time = now ?? signedIn?.authTime
  return time === undefined ? {} : { auth_time: time }
}

/** A client that acts for itself has no account, and gets all that it asks for. */
function scopesFor(accountId: string | undefined, api: Api): readonly string[] {
  if (accountId === undefined || accountId === administrator) return api.scopes
  return api.scopes.filter((scope) => !api.adminScopes.includes(scope))
}

/** The scopes of a request that are on offer, without repetitions. */
export function common(requested: string, offered: readonly string[]): string {
  const known = new Set(offered)
  return [...new Set(requested.split(' '))].filter((scope) => known.has(scope)).join(' ')
}
