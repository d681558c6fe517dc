import type { FastifyInstance, FastifyReply, FastifyRequest, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import { UpstreamError } from '../src/issuer/bounded-fetch.ts'
import { IssuerFaultError } from '../src/issuer/issuer-fault.ts'
import type { KeySetStore } from '../src/issuer/key-set.ts'
import {
  createTrustedIssuers,
  type IssuerOptions,
  type TrustedIssuers
} from '../src/issuer/trusted-issuer.ts'
import type { UserInfoClaims } from '../src/issuer/userinfo-answer.ts'
import { ScopeRefusedError, TokenRefusedError } from '../src/issuer/userinfo.ts'
import type { Observer } from '../src/observe/observer.ts'
import { ProblemError } from '../src/http/problem.ts'
import { findAuthorization, readAuthorization } from '../src/token/authorization.ts'
import { type Guard, type GuardDeclaration, judge, parseGuard } from '../src/token/guard.ts'
import type { Principal } from '../src/token/principal.ts'
import { createScopeHierarchy, type ScopeImplications } from '../src/token/scope-hierarchy.ts'
import { Refusal } from '../src/token/refusal.ts'
import { IssuerUnavailable, type Verdict } from '../src/token/verdict.ts'
import { createVerifier } from '../src/token/verifier.ts'
import { accessTokenOf } from './access-token.ts'
import { createDenials, type Denials } from './denials.ts'
import { answerUnrouted, isUnrouted } from './method-not-allowed.ts'
import { createSignatureCheck } from './signature-check.ts'
import { createExchangeToken } from './token-exchange.ts'

interface SharedOptions {
  /** Name of the protection space in challenges. Default `api`. */
  readonly realm?: string | undefined
  /** URL of this API as clients see it: the RFC 9728 `resource`. Set, it puts `resource_metadata` into challenges. */
  readonly publicUrl?: string | (() => string) | undefined
  /** Scopes that imply others, and these again others: `{ 'notes:admin': ['notes:read', 'notes:write'] }`. */
  readonly scopeImplies?: ScopeImplications | undefined
  /** Keeps the last good key set of each issuer over restarts. Default: nothing is kept. */
  readonly keySetStore?: KeySetStore | undefined
}

/** Options of the plugin: one issuer by itself, or a list of them. */
export type LatchkeyOptions = SharedOptions &
  (IssuerOptions | { readonly issuers: readonly IssuerOptions[] })

/** What the plugin adds to the instance it is registered in. */
export interface Latchkey {
  /** The identifiers of the trusted issuers. */
  readonly issuers: readonly string[]
  /** The scopes that the guards of all routes name, sorted. */
  scopes(): readonly string[]
  /** The types of authorization details that the guards of all routes name, sorted (RFC 9396). */
  authorizationDetailsTypes(): readonly string[]
  /** Whether the keys of every issuer were read and can be used. */
  isReady(): boolean
  /**
   * The UserInfo of the caller of a guarded request (OpenID Connect Core 1.0 section 5.3), from where the issuer's
   * `userinfo` option says.
   * @throws {ProblemError} if the issuer can not be asked or gives no usable answer
   */
  readUserInfo(request: FastifyRequest): Promise<UserInfoClaims>
}

declare module 'fastify' {
  interface FastifyInstance {
    latchkey: Latchkey
  }
  interface FastifyRequest {
    /** The verified caller. Present on guarded routes; null at run time where the route says `auth: false`. */
    principal: Principal
  }
  interface FastifyContextConfig {
    /** What the route demands: nothing said, any valid token; `false`, nothing at all. */
    auth?: false | GuardDeclaration
    [guardKey]?: Guard | null
  }
}

/** Where the checked declaration of a route is kept; a public route has `null`. */
const guardKey: unique symbol = Symbol('latchkey.guard')

/**
 * Guards every route of the context it is registered in with the access tokens of the trusted issuers: deny by
 * default, by what `config.auth` of a route declares, before the body is read (RFC 6750, RFC 9068).
 * @throws {TypeError} at registration, for a wrong option or a wrong `config.auth`
 */
async function latchkey(app: FastifyInstance, options: LatchkeyOptions): Promise<void> {
  if (app.hasRequestDecorator('principal')) {
    throw new TypeError('latchkey: found a registration in this context or around it, allowed: one')
  }
  const issuers = createTrustedIssuers(issuersOf(options), {
    prepare: createSignatureCheck,
    scopes: createScopeHierarchy(options.scopeImplies),
    observer: createLogObserver(app),
    store: options.keySetStore
  })
  const denials = createDenials(options)
  const scopes = new Set<string>()
  const detailsTypes = new Set<string>()

  app.decorateRequest('principal', null as unknown as Principal)
  app.decorateRequest('exchangeToken', createExchangeToken(issuers))
  app.decorate('latchkey', createLatchkey(issuers, denials, { scopes, detailsTypes }))
  app.addHook('onRoute', (route) => {
    const guard = parseGuard(route.config?.auth) ?? null
    if (guard !== null) refuseUnmappedRoles(guard, issuers)
    for (const scope of [...(guard?.scopes ?? []), ...(guard?.anyScope ?? [])]) scopes.add(scope)
    if (guard?.authorizationDetails) detailsTypes.add(guard.authorizationDetails.type)
    route.config = { ...route.config, [guardKey]: guard }
  })
  app.addHook('onRequest', createGuardHook(app, { issuers, denials, publicUrl: options.publicUrl }))
  app.addHook('onClose', async () => {
    await Promise.all([...issuers.values()].map((issuer) => issuer.close()))
  })
  await Promise.all([...issuers.values()].map(({ keySet }) => keySet.start()))
}

/** Where no issuer says which claim has its roles, nobody could ever have one. */
function refuseUnmappedRoles({ roles }: Guard, issuers: TrustedIssuers): void {
  if (roles.length === 0) return
  if ([...issuers.values()].some(({ mapping }) => mapping.roles.length > 0)) return
  const found = JSON.stringify(roles)
  throw new TypeError(
    `config.auth.roles: found ${found}, allowed: only with the option claims.roles of an issuer`
  )
}

type GuardHook = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void
) => void

interface GuardHookOptions {
  readonly issuers: TrustedIssuers
  readonly denials: Denials
  readonly publicUrl: SharedOptions['publicUrl']
}

function createGuardHook(
  app: FastifyInstance,
  { issuers, denials, publicUrl }: GuardHookOptions
): GuardHook {
  const verify = createVerifier(issuers)
  const surroundings = {
    clock: Date.now,
    clockToleranceOf: (issuer: string) => issuers.get(issuer)?.policy.clockTolerance ?? 0,
    isThisApi: (location: string, issuer: string) =>
      issuers.get(issuer)?.policy.audiences.has(location) === true ||
      location === (typeof publicUrl === 'function' ? publicUrl() : publicUrl)
  }

  const settle = (
    guard: Guard,
    verdict: Verdict,
    ...[request, reply, done]: Parameters<GuardHook>
  ): void => {
    if (verdict instanceof IssuerUnavailable) return denials.unavailable(request, reply, verdict)
    if (verdict instanceof Refusal) return denials.invalidToken(request, reply, guard, verdict)
    const denial = judge(guard, verdict, surroundings, request.params)
    if (denial instanceof Refusal) return denials.invalidToken(request, reply, guard, denial)
    if (denial !== undefined)
      return denials.denied(request, reply, guard, { principal: verdict, denial })
    request.principal = verdict
    done()
  }

  return (request, reply, done) => {
    if (isUnrouted(request)) return answerUnrouted(app, request, reply, done)
    const guard = guardOf(request)
    if (guard === null) return done()
    const credentials = readAuthorization(findAuthorization(request.raw.rawHeaders))
    if (credentials.kind === 'none') return denials.noCredentials(request, reply, guard)
    if (credentials.kind === 'invalid') {
      return denials.invalidRequest(request, reply, guard, credentials.description)
    }
    if (hasTokenInQuery(request)) {
      return denials.invalidRequest(
        request,
        reply,
        guard,
        'The request has more than one access token'
      )
    }
    const verdict = verify(credentials.token, guard.uncached)
    if (!(verdict instanceof Promise)) return settle(guard, verdict, request, reply, done)
    verdict.then((settled) => settle(guard, settled, request, reply, done)).catch(done)
  }
}

/** Routes that were declared before the plugin are guarded as well: their declaration is read when they are used. */
function guardOf(request: FastifyRequest): Guard | null {
  const { config } = request.routeOptions
  if (config[guardKey] === undefined) config[guardKey] = parseGuard(config.auth) ?? null
  return config[guardKey]
}

function hasTokenInQuery({ query }: FastifyRequest): boolean {
  return typeof query === 'object' && query !== null && 'access_token' in query
}

/** What the guards of all routes name. */
interface Named {
  readonly scopes: ReadonlySet<string>
  readonly detailsTypes: ReadonlySet<string>
}

function createLatchkey(
  issuers: TrustedIssuers,
  denials: Denials,
  { scopes, detailsTypes }: Named
): Latchkey {
  return {
    issuers: Object.freeze([...issuers.keys()]),
    scopes: () => [...scopes].sort(),
    authorizationDetailsTypes: () => [...detailsTypes].sort(),
    isReady: () => [...issuers.values()].every(({ keySet }) => keySet.isUsable),
    readUserInfo: (request) => readUserInfo(request, issuers, denials)
  }
}

async function readUserInfo(
  request: FastifyRequest,
  issuers: TrustedIssuers,
  denials: Denials
): Promise<UserInfoClaims> {
  const { principal } = request
  const read = issuers.get(principal.issuer)?.readUserInfo
  if (read === undefined) {
    throw new ProblemError('not-implemented', {
      detail: 'UserInfo is not offered for this issuer.'
    })
  }
  try {
    return await read(accessTokenOf(request), principal)
  } catch (cause) {
    const guard = guardOf(request)
    if (guard === null) throw cause
    if (cause instanceof TokenRefusedError) throw denials.tokenRefusedUpstream(guard)
    if (cause instanceof ScopeRefusedError) throw denials.scopeRefusedUpstream(guard)
    throw cause
  }
}

/** What Fastify and the plugin itself read of the options; all else is about issuers. */
const sharedOptions: Readonly<Record<keyof SharedOptions | keyof RegisterOptions, true>> = {
  realm: true,
  publicUrl: true,
  keySetStore: true,
  scopeImplies: true,
  prefix: true,
  logLevel: true,
  logSerializers: true
}

function issuersOf(options: LatchkeyOptions): readonly IssuerOptions[] {
  const own = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !Object.hasOwn(sharedOptions, name)
  )
  if (!('issuers' in options)) return [Object.fromEntries(own) as unknown as IssuerOptions]
  const [beside] = own.find(([name]) => name !== 'issuers') ?? []
  if (beside === undefined) return options.issuers
  throw new TypeError(`${beside}: found beside issuers, allowed: inside each of them`)
}

function createLogObserver({ log }: FastifyInstance): Observer {
  return {
    keySetReplaced: (event) => log.info(event, 'key set replaced'),
    keySkipped: (event) => log.warn(event, 'entry of the key set is not used'),
    issuerTrouble: ({ issuer, doing, cause }) =>
      log.warn({ issuer, doing, ...describe(cause) }, 'trouble with the issuer')
  }
}

/** What an issuer does wrong is told in a line: the stack would say where we noticed, at every attempt. */
function describe(trouble: unknown): { fault: string } | { err: unknown } {
  if (!(trouble instanceof UpstreamError || trouble instanceof IssuerFaultError))
    return { err: trouble }
  const { message, cause } = trouble
  return { fault: cause instanceof Error ? `${message} (${cause.message})` : message }
}

export default fp(latchkey, { name: 'latchkey', fastify: '5.x' })
