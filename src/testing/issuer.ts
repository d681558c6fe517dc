import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { randomUUID } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { CompactSign, compactVerify, createLocalJWKSet } from 'jose'
import type { JWK } from 'jose'
import { returnKeys, takeKeys, testAlgorithms } from './keys.ts'
import type { TestAlgorithm, TestKey } from './keys.ts'

/** How a test issuer is to be; all of it may be left out. */
export interface TestIssuerOptions {
  /** The audience of its tokens. Default `https://api.example.com`. */
  readonly audience?: string
  /** The path of the issuer identifier, e.g. `/realms/a`, for issuers that share an origin. Default none. */
  readonly path?: string
  /** What it signs with; the first is the default of `mint`. Default all, RS256 first. */
  readonly algorithms?: readonly TestAlgorithm[]
  /** What UserInfo says beside the token's `sub`. Default nothing. */
  readonly userinfo?: Readonly<Record<string, unknown>>
}

/** How a token is signed; all of it may be left out. */
export interface MintOptions {
  /** Default: that of the key `kid`, or of the newest key. */
  readonly alg?: TestAlgorithm
  /** The key to sign with, a withdrawn one too. Default: the newest published one that fits `alg`. */
  readonly kid?: string
  /** Members of the JOSE header, over the defaults; `undefined` takes one out. */
  readonly header?: Readonly<Record<string, unknown>>
  /** When the token is issued: seconds since the epoch. Default now. */
  readonly now?: number
  /** Signs in place of the issuer's own key, the header unchanged: a forger's key. */
  readonly key?: KeyObject
}

/**
 * Starts an OpenID Connect issuer for tests on a free port of 127.0.0.1. It serves its discovery
 * document, key set and UserInfo, and mints access tokens (RFC 9068) on call; nobody can sign in there.
 * Close it when the test is over.
 * @throws {TypeError} if `path` isn't a path, or an algorithm isn't known
 */
export async function startTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { path = '', algorithms = testAlgorithms } = options
  if (!/^(\/[\w.~-]+)*$/.test(path)) throw new TypeError(`Not the path of an issuer: ${path}`)
  if (algorithms.length === 0) throw new TypeError('A test issuer needs an algorithm')
  const keys = await takeKeys(algorithms)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new TestIssuer(server, keys, options)
}

/** A running test issuer: see {@link startTestIssuer}. */
class TestIssuer {
  /** The issuer identifier, e.g. `http://127.0.0.1:41234/realms/a`. */
  readonly issuer: string
  /** The audience of its tokens. */
  readonly audience: string
  readonly #server: Server
  readonly #path: string
  readonly #algorithms: readonly TestAlgorithm[]
  readonly #userinfo: Readonly<Record<string, unknown>>
  readonly #requests = new Map<string, number>()
  readonly #everyKey: TestKey[]
  #published: readonly TestKey[]

  constructor(server: Server, keys: readonly TestKey[], options: TestIssuerOptions) {
    const { port } = server.address() as AddressInfo
    this.#path = options.path ?? ''
    this.issuer = `http://127.0.0.1:${port}${this.#path}`
    this.audience = options.audience ?? 'https://api.example.com'
    this.#server = server
    this.#algorithms = options.algorithms ?? testAlgorithms
    this.#userinfo = options.userinfo ?? {}
    this.#everyKey = [...keys]
    this.#published = keys
    server.on('request', (request, response) => {
      this.#answer(request, response).catch((error: Error) => response.destroy(error))
    })
  }

  /** What the plugin needs to trust this issuer: `await app.register(latchkey, testIssuer.options)`. */
  get options(): { issuer: string; audience: string } {
    return { issuer: this.issuer, audience: this.audience }
  }

  /** The keys in the key set, the newest first. */
  get keys(): readonly TestKey[] {
    return this.#published
  }

  /** The key set as it is served (RFC 7517 section 5). */
  get jwks(): { keys: JWK[] } {
    return { keys: this.#published.map(({ publicJwk }) => publicJwk) }
  }

  /** The discovery document as it is served (OpenID Connect Discovery section 3). */
  get discovery(): Record<string, unknown> {
    return {
      issuer: this.issuer,
      jwks_uri: `${this.issuer}/jwks`,
      userinfo_endpoint: `${this.issuer}/userinfo`,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...this.#algorithms]
    }
  }

  /**
   * Makes an access token: of subject `ada`, client `test-client` and scope `openid`, for one hour.
   * `claims` go over these; `undefined` takes one out. Nothing is checked: bad tokens are tests' business.
   * @throws {TypeError} if the issuer has no such key, or none for the algorithm
   */
  async mint(
    claims: Readonly<Record<string, unknown>> = {},
    options: MintOptions = {}
  ): Promise<string> {
    const { header, now = Math.floor(Date.now() / 1000) } = options
    const key = this.#signingKey(options)
    const { alg = key.alg } = options
    const payload = {
      iss: this.issuer,
      aud: this.audience,
      sub: 'ada',
      client_id: 'test-client',
      scope: 'openid',
      iat: now,
      exp: now + 3600,
      jti: randomUUID(),
      ...claims
    }
    return new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg, typ: 'at+jwt', kid: key.kid, ...header })
      .sign(options.key ?? key.privateKey)
  }

  /** Publishes new keys and signs with them from now on; the old ones stay published. */
  async rotate(): Promise<void> {
    const fresh = await takeKeys(this.#algorithms)
    this.#everyKey.unshift(...fresh)
    this.#published = [...fresh, ...this.#published]
  }

  /**
   * Takes a key out of the key set; `mint` still signs with it if it is named.
   * @throws {TypeError} if it isn't published
   */
  withdraw(kid: string): void {
    const rest = this.#published.filter((key) => key.kid !== kid)
    if (rest.length === this.#published.length) throw new TypeError(`No key ${kid} is published`)
    this.#published = rest
  }

  /** How many requests came for a path below the issuer, e.g. `/jwks`; for any path if none is named. */
  requests(path?: string): number {
    if (path !== undefined) return this.#requests.get(`${this.#path}${path}`) ?? 0
    return Array.from(this.#requests.values()).reduce((sum, count) => sum + count, 0)
  }

  /** Stops listening and ends all connections. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
    returnKeys(this.#everyKey)
  }

  #signingKey({ alg, kid }: MintOptions): TestKey {
    const named = this.#everyKey.filter((key) => key.kid === kid)
    const candidates = kid === undefined ? this.#published : named
    const key = candidates.find(({ algorithms }) => alg === undefined || algorithms.includes(alg))
    if (!key) throw new TypeError(`The issuer has no key ${kid ?? ''} for ${alg ?? 'signing'}`)
    return key
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ''] = (request.url ?? '').split('?')
    this.#requests.set(path, (this.#requests.get(path) ?? 0) + 1)
    if (path === `${this.#path}/.well-known/openid-configuration`)
      sendJson(response, 200, this.discovery)
    else if (path === `${this.#path}/jwks`) sendJson(response, 200, this.jwks)
    else if (path === `${this.#path}/userinfo`) await this.#answerUserinfo(request, response)
    else sendJson(response, 404, { error: 'not_found' })
  }

  // Looks at the signature alone, so that tests may choose the time of their tokens.
  async #answerUserinfo({ headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = (headers.authorization ?? '').replace(/^Bearer /i, '')
    const verified = await compactVerify(token, createLocalJWKSet(this.jwks)).catch(() => undefined)
    if (!verified) {
      response.setHeader('WWW-Authenticate', 'Bearer error="invalid_token"')
      sendJson(response, 401, { error: 'invalid_token' })
      return
    }
    const { sub } = JSON.parse(Buffer.from(verified.payload).toString()) as { sub?: unknown }
    sendJson(response, 200, { sub, ...this.#userinfo })
  }
}

export type { TestIssuer }

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
