import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { AccessToken, Provider } from 'oidc-provider/lib/provider.js'
import type { Test } from 'tap'
import { loadOidcProvider } from '../../src/development/load-provider.ts'
import { startLoopbackServer } from './loopback-server.ts'

/** A real OpenID provider whose access tokens are opaque, and which tells its clients about them. */
export interface IntrospectingProvider {
  readonly issuer: string
  readonly audience: string
  /** The client that may ask: by its secret, or by its key. */
  readonly secretClient: { readonly clientId: string; readonly clientSecret: string }
  readonly keyClient: { readonly clientId: string; readonly privateKey: string }
  /** Makes an opaque access token of Ada, and what the provider keeps of it. */
  readonly mint: (audience?: string) => Promise<{ token: string; kept: AccessToken }>
}

const audience = 'https://api.example.com'
const secretClient = { clientId: 'api', clientSecret: 'a secret: with + and %' }

/** Starts oidc-provider on loopback with introspection enabled; it is closed when the test ends. */
export async function startIntrospectingProvider(t: Test): Promise<IntrospectingProvider> {
  const { Provider, createMemoryAdapter } = await loadOidcProvider()
  const { server, origin: issuer } = await startLoopbackServer(t)
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicJwk = publicKey.export({ format: 'jwk' })
  const provider = new Provider(issuer, {
    ...settings(publicJwk),
    adapter: createMemoryAdapter()
  })
  server.on('request', provider.callback())
  const pem = String(privateKey.export({ format: 'pem', type: 'pkcs8' }))
  return {
    issuer,
    audience,
    secretClient,
    keyClient: { clientId: 'api-with-key', privateKey: pem },
    mint: (aud = audience) => mint(provider, aud)
  }
}

async function mint(provider: Provider, aud: string) {
  const client = await provider.Client.find('app')
  if (client === undefined) throw new Error('The provider does not know the app')
  const kept = new provider.AccessToken({ accountId: 'ada', client, gty: 'test' })
  kept.resourceServer = new provider.ResourceServer(aud, {
    audience: aud,
    scope: 'openid documents:read',
    accessTokenFormat: 'opaque',
    accessTokenTTL: 600
  })
  kept.scope = 'openid documents:read'
  return { token: await kept.save(), kept }
}

function settings(publicJwk: object): object {
  const confidential = { grant_types: [], response_types: [], redirect_uris: [] }
  const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  return {
    clients: [
      {
        client_id: 'app',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['https://app.example.com/']
      },
      {
        ...confidential,
        client_id: secretClient.clientId,
        client_secret: secretClient.clientSecret
      },
      {
        ...confidential,
        client_id: 'api-with-key',
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [publicJwk] }
      }
    ],
    jwks: { keys: [{ ...signingKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    responseTypes: ['code'],
    scopes: ['openid', 'documents:read'],
    findAccount: (_ctx: unknown, accountId: string) => ({
      accountId,
      claims: async () => ({ sub: accountId })
    }),
    ttl: { AccessToken: 600 },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      jwtIntrospection: { enabled: true },
      resourceIndicators: { enabled: true }
    }
  }
}
