import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Context } from 'oidc-provider/lib/provider.js'
import type { Test } from 'tap'
import { grantEverything, resourceServerInfo } from '../../src/development/grants.ts'
import { loadOidcProvider, type OidcProvider } from '../../src/development/load-provider.ts'
import { interactionPath, login } from '../../src/development/login.ts'
import { logoutPage } from '../../src/development/pages.ts'
import { createBrowser, inputsOf } from '../src/development/browser.ts'
import { startLoopbackServer } from './loopback-server.ts'

/** A real OpenID provider with back-channel logout, and a browser that signs in and out there. */
export interface LogoutProvider {
  readonly issuer: string
  readonly audience: string
  /** Begins to answer, with one client: the app `app`, whose sign-outs are told to this address. */
  readonly open: (logoutUri: string, sessionRequired: boolean) => Promise<void>
  /** Signs Ada in with a new browser. */
  readonly signIn: () => Promise<{ token: string; signOut: () => Promise<void> }>
}

const audience = 'https://api.example.com'
const callback = 'https://app.example.com/callback'
const verifier = randomBytes(32).toString('base64url')
const api = {
  audience,
  resource: audience,
  scopes: ['documents:read'],
  adminScopes: []
}

/** Listens on loopback without answering yet, since provider and API have to know of each other; ends with the test. */
export async function startLogoutProvider(t: Test): Promise<LogoutProvider> {
  const oidc = await loadOidcProvider()
  const { server, origin: issuer } = await startLoopbackServer(t)
  return {
    issuer,
    audience,
    open: async (logoutUri, sessionRequired) => {
      const client = {
        client_id: 'app',
        token_endpoint_auth_method: 'none',
        redirect_uris: [callback],
        backchannel_logout_uri: logoutUri,
        backchannel_logout_session_required: sessionRequired
      }
      server.on('request', createProvider(oidc, issuer, client).callback())
    },
    signIn: () => signIn(issuer)
  }
}

function createProvider(oidc: OidcProvider, issuer: string, client: object) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const provider = new oidc.Provider(issuer, {
    adapter: oidc.createMemoryAdapter(),
    clients: [client],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    responseTypes: ['code'],
    scopes: ['openid'],
    findAccount: (_ctx: unknown, accountId: string) => ({
      accountId,
      claims: async () => ({ sub: accountId })
    }),
    interactions: { url: (_ctx: unknown, { uid }: { uid: string }) => interactionPath + uid },
    loadExistingGrant: ({ oidc: { client, session, resourceServers } }: Context) =>
      grantEverything(provider, api, {
        accountId: session.accountId,
        clientId: client.clientId,
        resources: Object.keys(resourceServers)
      }),
    // its own refuses to talk to this machine
    fetch: (url: string, { method, headers, body, signal }: RequestInit) =>
      fetch(url, { ...(method && { method }), headers, body, signal } as RequestInit),
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: logoutPage },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (ctx: Context) => resourceServerInfo(api, audience, ctx.oidc.client),
        useGrantedResource: () => true
      }
    }
  })
  return provider.use(login(provider, oidc))
}

async function signIn(issuer: string) {
  const browser = createBrowser(issuer)
  const request = new URLSearchParams({
    client_id: 'app',
    response_type: 'code',
    redirect_uri: callback,
    scope: 'openid documents:read',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256'
  })
  const page = await browser.open(`${issuer}/auth?${request.toString()}`)
  const landed = new URL((await browser.open(page.url, { user: 'ada' })).url)
  const form = {
    grant_type: 'authorization_code',
    client_id: 'app',
    redirect_uri: callback,
    code: landed.searchParams.get('code') ?? '',
    code_verifier: verifier
  }
  const body = new URLSearchParams(form)
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body })
  const { access_token: token } = (await answer.json()) as { access_token: string }
  return { token, signOut: () => signOut(issuer, browser) }
}

async function signOut(issuer: string, { open }: ReturnType<typeof createBrowser>): Promise<void> {
  const question = await open(`${issuer}/session/end?client_id=app`)
  await open(`${issuer}/session/end/confirm`, { ...inputsOf(question.body), logout: 'yes' })
}
