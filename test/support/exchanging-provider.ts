import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import type { Context, Provider } from 'oidc-provider/lib/provider.js'
import type { Test } from 'tap'
import { loadOidcProvider } from '../../src/development/load-provider.ts'
import { startLoopbackServer } from './loopback-server.ts'

/** A real OpenID provider whose UserInfo refuses the access tokens of an API, and which exchanges them. */
export interface ExchangingProvider {
  readonly issuer: string
  readonly audience: string
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  /** Makes a JWT access token of Ada for the API. */
  readonly mint: () => Promise<string>
}

const audience = 'https://api.example.com'
const client = { clientId: 'api', clientSecret: 'a secret: with + and %' }
const scope = 'openid profile'
const use = { alg: 'RS256', use: 'sig', kid: 'provider' }
const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = { ...signingKey.publicKey.export({ format: 'jwk' }), ...use }

/**
 * Starts oidc-provider on loopback; it is closed when the test ends.
 * @param metadata of the API as a client, such as how its UserInfo is signed (OpenID Connect Registration section 2)
 */
export async function startExchangingProvider(
  t: Test,
  metadata: object = {}
): Promise<ExchangingProvider> {
  const { Provider, createMemoryAdapter } = await loadOidcProvider()
  const { server, origin: issuer } = await startLoopbackServer(t)
  const provider = new Provider(issuer, { ...settings(metadata), adapter: createMemoryAdapter() })
  const handler = exchangeFor(provider, issuer)
  provider.registerGrantType(tokenExchange, handler, ['subject_token', 'scope'])
  server.on('request', provider.callback())
  return { issuer, audience, client, mint: () => mint(provider) }
}

const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Gives an opaque token, which UserInfo of oidc-provider accepts, for a JWT, which it refuses. */
function exchangeFor(provider: Provider, issuer: string) {
  const keys = createLocalJWKSet({ keys: [jwk] })
  return async (ctx: Context): Promise<void> => {
    const { subject_token = '', scope: wanted = '' } = ctx.oidc.params
    const { payload } = await jwtVerify(subject_token, keys, { issuer, audience, typ: 'at+jwt' })
    const { sub: accountId = '' } = payload
    const owner = { accountId, clientId: client.clientId }
    const grant = new provider.Grant(owner)
    grant.addOIDCScope(wanted)
    const grantId = await grant.save()
    const given = { accountId, grantId, client: ctx.oidc.client, gty: 'token-exchange' }
    const token = new provider.AccessToken(given)
    token.scope = wanted
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: token.tokenType,
      expires_in: token.expiration
    }
  }
}

async function mint(provider: Provider): Promise<string> {
  const app = await provider.Client.find('app')
  if (app === undefined) throw new Error('The provider does not know the app')
  const token = new provider.AccessToken({ accountId: 'ada', client: app, gty: 'test' })
  token.resourceServer = new provider.ResourceServer(audience, {
    audience,
    scope,
    accessTokenFormat: 'jwt',
    accessTokenTTL: 600,
    jwt: { sign: { alg: 'RS256' } }
  })
  token.scope = scope
  return token.save()
}

function settings(metadata: object): object {
  return {
    clients: [
      {
        client_id: 'app',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['https://app.example.com/']
      },
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        grant_types: [tokenExchange],
        response_types: [],
        redirect_uris: [],
        ...metadata
      }
    ],
    jwks: {
      keys: [{ ...signingKey.privateKey.export({ format: 'jwk' }), ...use }]
    },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    responseTypes: ['code'],
    scopes: scope.split(' '),
    claims: { openid: ['sub'], profile: ['name'] },
    findAccount: (_ctx: unknown, accountId: string) => ({
      accountId,
      claims: async () => ({ sub: accountId, name: 'Ada Lovelace' })
    }),
    ttl: { AccessToken: 600, Grant: 600 },
    features: {
      devInteractions: { enabled: false },
      encryption: { enabled: true },
      jwtUserinfo: { enabled: true },
      resourceIndicators: { enabled: true }
    }
  }
}
