import { randomBytes } from 'node:crypto'
import type { JWK } from 'jose'
import type { Client, Context, Middleware, Provider } from 'oidc-provider/lib/provider.js'
import {
  developmentClients,
  developmentUserGrant,
  isLoopbackUrl,
  registeredClientMetadata,
  tokenExchangeGrant
} from './clients.ts'
import {
  authTimeOf,
  developmentUser,
  grantEverything,
  resourceServerInfo,
  type Api
} from './grants.ts'
import type { IssuerFile } from './issuer-file.ts'
import type { OidcProvider } from './load-provider.ts'
import { interactionPath, login } from './login.ts'
import { deviceCodePage, deviceConfirmPage, logoutPage, messagePage } from './pages.ts'
import { exchangeToken, tokenExchangeParameters } from './token-exchange.ts'
import { userInfo } from './userinfo.ts'
import { claimsOf, claimsOfScope, developmentUsers, userScopes } from './users.ts'

const hourSeconds = 3600

interface ProviderOptions {
  readonly issuer: string
  readonly api: Api
  readonly file: IssuerFile
}

/** Builds the provider of a development issuer: its clients, users, pages and grants. */
export function createProvider(oidc: OidcProvider, options: ProviderOptions): Provider {
  const { issuer, api, file } = options
  const provider: Provider = new oidc.Provider(issuer, {
    ...settings(api, file),
    adapter: oidc.createMemoryAdapter(),
    loadExistingGrant: async ({ oidc: { client, session, resourceServers } }: Context) =>
      grantEverything(provider, api, {
        accountId: session.accountId,
        clientId: client.clientId,
        resources: Object.keys(resourceServers)
      })
  })
  Object.assign(provider.Client.prototype, {
    redirectUriAllowed: isLoopbackUrl,
    postLogoutRedirectUriAllowed: isLoopbackUrl
  })
  provider.registerGrantType(developmentUserGrant, developmentUser(oidc, provider, api), [
    'user',
    'scope'
  ])
  const keys = file.keys.map(publicPart)
  const exchange = exchangeToken(oidc, provider, { issuer, api, keys })
  provider.registerGrantType(tokenExchangeGrant, exchange, tokenExchangeParameters)
  return provider.use(onlyAs(issuer)).use(userInfo({ issuer, keys })).use(login(provider, oidc))
}

function settings(api: Api, file: IssuerFile): object {
  return {
    clients: developmentClients(file.clientSecret),
    extraClientMetadata: registeredClientMetadata,
    jwks: { keys: file.keys },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    claims: claimsOfScope,
    scopes: [...userScopes, 'offline_access'],
    responseTypes: ['code'],
    findAccount: (_ctx: Context, subject: string) => account(subject),
    clientBasedCORS: (_ctx: Context, origin: string) => isLoopbackUrl(origin),
    allowOmittingSingleRegisteredRedirectUri: false,
    extraTokenClaims: (ctx: Context, token: { readonly gty?: string }) => authTimeOf(ctx, token),
    issueRefreshToken: (_ctx: Context, client: Client) => client.grantTypeAllowed('refresh_token'),
    interactions: { url: (_ctx: Context, { uid }: { uid: string }) => `${interactionPath}${uid}` },
    renderError: (ctx: Context, error: Readonly<Record<string, string>>) =>
      messagePage(ctx, 'Refused', Object.values(error).join(': ')),
    ttl: lifetimes,
    features: features(api)
  }
}

// Every one is named: oidc-provider prints a notice for each that it has to choose.
const lifetimes = {
  AccessToken: hourSeconds,
  ClientCredentials: hourSeconds,
  DeviceCode: hourSeconds / 6,
  Grant: 24 * hourSeconds,
  IdToken: hourSeconds,
  Interaction: hourSeconds,
  RefreshToken: 24 * hourSeconds,
  Session: 24 * hourSeconds
}

function features(api: Api): object {
  return {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx: Context, form: string, _out: unknown, error?: Error) =>
        deviceCodePage(ctx, form, error),
      userCodeConfirmSource: (
        ctx: Context,
        form: string,
        _client: Client,
        _device: unknown,
        userCode: string
      ) => deviceConfirmPage(ctx, form, userCode),
      successSource: (ctx: Context) =>
        messagePage(ctx, 'Connected', 'The device is signed in. You can close this page.')
    },
    // MCP clients know nobody beforehand; what they register lasts until the issuer stops
    registration: { enabled: true, issueRegistrationAccessToken: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx: Context, _client: Client, oneOf?: readonly string[]) =>
        oneOf?.[0] ?? api.resource,
      getResourceServerInfo: (_ctx: Context, resource: string, client: Client) =>
        resourceServerInfo(api, resource, client),
      useGrantedResource: () => true
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx: Context, form: string) => logoutPage(ctx, form),
      postLogoutSuccessSource: (ctx: Context) =>
        messagePage(ctx, 'Signed out', 'You can close this page.')
    }
  }
}

function account(subject: string): object | undefined {
  if (!developmentUsers.has(subject)) return undefined
  return {
    accountId: subject,
    claims: async (_use: string, scope: string) => claimsOf(subject, scope.split(' '))
  }
}

// A page on another name that resolves to loopback (DNS rebinding) must not reach the issuer, and
// oidc-provider builds its URLs from the Host field.
function onlyAs(issuer: string): Middleware {
  const { host } = new URL(issuer)
  return async (ctx, next) => {
    if (ctx.host === host) return next()
    ctx.status = 421
    ctx.body = `This issuer answers at ${issuer} only.\n`
  }
}

function publicPart({ kty, n, e, crv, x, y, alg, use, kid }: JWK): JWK {
  return JSON.parse(JSON.stringify({ kty, n, e, crv, x, y, alg, use, kid })) as JWK
}
