// oidc-provider ships no types: these are the parts that this folder uses. Both modules are reached by
// their path because the package's index complains on the console about Node 20, on which it runs.
declare module 'oidc-provider/lib/provider.js' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

  interface Client {
    readonly clientId: string
    readonly clientName?: string
    grantTypeAllowed(grantType: string): boolean
    redirectUriAllowed(uri: string): boolean
    postLogoutRedirectUriAllowed(uri: string): boolean
  }

  interface Grant {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    rejectResourceScope(resource: string, scope: string): void
    getResourceScopeFiltered(resource: string, scopes: readonly string[]): string
    save(): Promise<string>
  }

  interface ResourceServerInfo {
    readonly audience: string
    readonly scope: string
    readonly accessTokenFormat: 'jwt' | 'opaque'
    readonly accessTokenTTL: number
    readonly jwt?: { readonly sign: { readonly alg: string } }
  }

  interface AccessToken {
    resourceServer: object
    scope: string
    readonly expiration: number
    readonly tokenType: string
    save(): Promise<string>
    destroy(): Promise<void>
  }

  interface Interaction {
    readonly prompt: { readonly name: string }
    readonly params: Readonly<Record<string, string | undefined>>
  }

  /** A Koa context; `oidc` is there on the provider's own routes only. */
  interface Context {
    readonly method: string
    readonly path: string
    readonly host: string
    readonly req: IncomingMessage
    readonly res: ServerResponse
    status: number
    type: string
    body: unknown
    get(field: string): string
    set(field: string, value: string): void
    redirect(url: string): void
    readonly oidc: {
      readonly client: Client
      readonly params: Readonly<Record<string, string | undefined>>
      readonly session: { readonly accountId?: string }
      readonly resourceServers: Readonly<Record<string, object>>
      /** What a token request refers to, by the name of its model. */
      readonly entities: Readonly<Record<string, { readonly authTime?: number } | undefined>>
    }
  }

  type Middleware = (ctx: Context, next: () => Promise<void>) => Promise<void>

  class Provider {
    constructor(issuer: string, configuration: object)
    readonly Client: {
      readonly prototype: Client
      find(clientId: string): Promise<Client | undefined>
    }
    readonly Grant: new (owner: { accountId: string | undefined; clientId: string }) => Grant
    readonly AccessToken: new (source: {
      accountId: string
      client: Client
      gty: string
      /** Without it UserInfo of the provider refuses the token. */
      grantId?: string
    }) => AccessToken
    readonly ResourceServer: new (identifier: string, info: ResourceServerInfo) => object
    use(middleware: Middleware): this
    callback(): RequestListener
    registerGrantType(
      name: string,
      handler: (ctx: Context) => Promise<void>,
      parameters: readonly string[]
    ): void
    interactionDetails(req: IncomingMessage, res: ServerResponse): Promise<Interaction>
    /** Returns where the browser goes on. */
    interactionResult(req: IncomingMessage, res: ServerResponse, result: object): Promise<string>
  }
}

declare module 'oidc-provider/lib/adapters/memory_adapter.js' {
  /** A store of its own for one provider. */
  function createMemoryAdapter(clockToleranceSeconds?: number): (model: string) => object
}

declare module 'oidc-provider/lib/helpers/errors.js' {
  class CustomOIDCProviderError extends Error {
    constructor(error: string, description: string)
  }
  class SessionNotFound extends Error {}
}
