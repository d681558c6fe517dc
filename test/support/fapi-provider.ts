import { generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { request, createServer } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import * as oauth from 'oauth4webapi'
import type { Context, Provider } from 'oidc-provider/lib/provider.js'
import type { Test } from 'tap'
import { loadOidcProvider } from '../../src/development/load-provider.ts'
import { certificate, certificateKey } from './certificate.ts'
import { clientCertificate, clientKey } from './client-certificates.ts'
import { startLoopbackServer } from './loopback-server.ts'

/** A real provider as FAPI 2.0 wants it, with opaque tokens: it knows clients by key or certificate alone. */
export interface FapiProvider {
  readonly issuer: string
  readonly audience: string
  /** The API as a client of the provider, which accepts an assertion of any of these keys. */
  readonly api: {
    readonly clientId: string
    readonly privateKeys: Readonly<Record<KeyName, string>>
  }
  /** Asks for a token as an app that has a key: bound to that of the handle, or to none. */
  readonly requestToken: (DPoP?: oauth.DPoPHandle) => Promise<string>
  /** Asks for a token as an app that has a certificate, over TLS: the token is bound to it. */
  readonly requestCertifiedToken: () => Promise<string>
  /** Has the provider forget a token of the app that has a key (RFC 7009). */
  readonly revoke: (token: string) => Promise<void>
}

type KeyName = keyof typeof apiKeys

const audience = 'https://api.example.com'
const algorithms = ['PS256', 'ES256', 'EdDSA']
const apiKeys = {
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  Ed25519: generateKeyPairSync('ed25519')
}
const app: oauth.Client = { client_id: 'app' }
const appKey = await oauth.generateKeyPair('PS256')
const insecure = { [oauth.allowInsecureRequests]: true }

/** Starts oidc-provider on loopback, over HTTP and, for certificates, over TLS; it is closed when the test ends. */
export async function startFapiProvider(t: Test): Promise<FapiProvider> {
  const { Provider, createMemoryAdapter } = await loadOidcProvider()
  const { server, origin: issuer } = await startLoopbackServer(t)
  const provider = new Provider(issuer, { ...(await settings()), adapter: createMemoryAdapter() })
  server.on('request', provider.callback())
  const port = await listenWithTls(t, provider)
  const metadata = async () => {
    const url = new URL(issuer)
    return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure))
  }
  const authenticate = oauth.PrivateKeyJwt(appKey.privateKey)
  return {
    issuer,
    audience,
    api: { clientId: 'api', privateKeys: mapKeys(({ privateKey }) => pemOf(privateKey)) },
    async requestToken(DPoP) {
      const server = await metadata()
      const options = DPoP === undefined ? insecure : { ...insecure, DPoP }
      const answer = await oauth.clientCredentialsGrantRequest(
        server,
        app,
        authenticate,
        {},
        options
      )
      return (await oauth.processClientCredentialsResponse(server, app, answer)).access_token
    },
    requestCertifiedToken: () => requestWithCertificate(port),
    async revoke(token) {
      const answer = await oauth.revocationRequest(
        await metadata(),
        app,
        authenticate,
        token,
        insecure
      )
      await oauth.processRevocationResponse(answer)
    }
  }
}

/** As `mtls_endpoint_aliases` are for (RFC 8705 section 5): the same provider, where certificates are asked for. */
async function listenWithTls(t: Test, provider: Provider): Promise<number> {
  const server = createServer(
    { cert: certificate, key: certificateKey, requestCert: true, rejectUnauthorized: false },
    provider.callback()
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

async function requestWithCertificate(port: number): Promise<string> {
  const asked = request({
    port,
    host: '127.0.0.1',
    path: '/token',
    method: 'POST',
    agent: false,
    rejectUnauthorized: false,
    cert: clientCertificate,
    key: clientKey,
    headers: { 'content-type': 'application/x-www-form-urlencoded' }
  }).end('grant_type=client_credentials&client_id=certified-app')
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  const { access_token: token } = (await json(answer)) as { access_token?: string }
  if (token === undefined) throw new Error(`The provider answered with ${answer.statusCode}`)
  return token
}

async function settings(): Promise<object> {
  const confidential = { response_types: [], redirect_uris: [] }
  const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const { raw, publicKey } = new X509Certificate(clientCertificate)
  const x5c = [raw.toString('base64')]
  return {
    clients: [
      {
        ...confidential,
        client_id: app.client_id,
        grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [await crypto.subtle.exportKey('jwk', appKey.publicKey)] }
      },
      {
        ...confidential,
        client_id: 'certified-app',
        grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        tls_client_certificate_bound_access_tokens: true,
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), x5c }] }
      },
      {
        ...confidential,
        client_id: 'api',
        grant_types: [],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: {
          keys: Object.values(mapKeys(({ publicKey: key }) => key.export({ format: 'jwk' })))
        }
      }
    ],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clientAuthMethods: ['private_key_jwt', 'self_signed_tls_client_auth'],
    enabledJWA: { clientAuthSigningAlgValues: algorithms, dPoPSigningAlgValues: algorithms },
    jwks: { keys: [{ ...signingKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    responseTypes: ['code'],
    // what a client that acts for itself is called (RFC 9068 section 2.2)
    extraTokenClaims: (_ctx: unknown, { clientId }: { clientId: string }) => ({ sub: clientId }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      dPoP: { enabled: true },
      mTLS: {
        enabled: true,
        selfSignedTlsClientAuth: true,
        certificateBoundAccessTokens: true,
        getCertificate: ({ req }: Context) => (req.socket as TLSSocket).getPeerX509Certificate?.()
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({ audience, scope: '', accessTokenFormat: 'opaque' })
      }
    }
  }
}

function mapKeys<Value>(map: (pair: { publicKey: KeyObject; privateKey: KeyObject }) => Value) {
  const { RSA, 'P-256': ec, Ed25519 } = apiKeys
  return { RSA: map(RSA), 'P-256': map(ec), Ed25519: map(Ed25519) }
}

function pemOf(key: KeyObject): string {
  return String(key.export({ format: 'pem', type: 'pkcs8' }))
}
