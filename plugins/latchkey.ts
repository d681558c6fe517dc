import type { FastifyInstance, FastifyReply, FastifyRequest, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { BindingOptions } from '../src/binding/binding-options.ts'
import { UpstreamError } from '../src/issuer/bounded-fetch.ts'
import { IssuerFaultError } from '../src/issuer/issuer-fault.ts'
import type { KeySetStore } from '../src/issuer/key-set.ts'
import type { ResolveIssuer } from '../src/issuer/resolved-issuers.ts'
import type { IssuerOptions } from '../src/issuer/issuer-options.ts'
import {
  createTrustedIssuers,
  type IssuerChanges,
  type TrustedIssuers
} from '../src/issuer/trusted-issuers.ts'
import type { UserInfoClaims } from '../src/issuer/userinfo-answer.ts'
import { ScopeRefusedError, TokenRefusedError } from '../src/issuer/userinfo.ts'
import type { Observer } from '../src/observe/observer.ts'
import type { Mark } from '../src/revocation/mark.ts'
import type { Revocations } from '../src/revocation/revocations.ts'
import type { RevocationTarget } from '../src/revocation/target.ts'
import type { RevokedTokens } from '../src/token/revoked-tokens.ts'
import { ProblemError } from '../src/http/problem.ts'
import {
  type Credentials,
  findAuthorization,
  readAuthorization
} from '../src/token/authorization.ts'
import { type Guard, type GuardDeclaration, judge, parseGuard } from '../src/token/guard.ts'
import type { Principal } from '../src/token/principal.ts'
import { createScopeHierarchy, type ScopeImplications } from '../src/token/scope-hierarchy.ts'
import { Refusal } from '../src/token/refusal.ts'
import { IssuerUnavailable, type Verdict } from '../src/token/verdict.ts'
import { createVerifier } from '../src/token/verifier.ts'
import { accessTokenOf } from './access-token.ts'
import { createDenials, type Denials } from './denials.ts'
import { answerUnrouted, isUnrouted } from './method-not-allowed.ts'
import {
  createSenderConstraint,
  isProven,
  noConstraints,
  refuseUnprovable,
  type SenderConstraint,
  type SenderConstraints
} from './sender-constraint.ts'
import { offerRevocations, openRevocationList, type RevocationOptions } from './revocation.ts'
import { createSignatureCheck } from './signature-check.ts'
import { createExchangeToken } from './token-exchange.ts'

interface SharedOptions extends BindingOptions, RevocationOptions {
  /** Name of the protection space in challenges. Default `api`. */
  readonly realm?: string | undefined
  /** URL of this API as clients see it: the RFC 9728 `resource`. Set, it puts `resource_metadata` into challenges. */
  readonly publicUrl?: string | (() => string) | undefined
  /** Scopes that imply others, and these again others: `{ 'notes:admin': ['notes:read', 'notes:write'] }`. */
  readonly scopeImplies?: ScopeImplications | undefined
  /** Keeps the last good key set of each issuer over restarts. Default: nothing is kept. */
  readonly keySetStore?: KeySetStore | undefined
  /** Finds issuers that are known at run time only, beside those of the options. Default: there are none. */
  readonly resolveIssuer?: ResolveIssuer | undefined
}

/** Options of the plugin: one issuer by itself, or a list of them. */
export type LatchkeyOptions = SharedOptions &
  (IssuerOptions | { readonly issuers: readonly IssuerOptions[] })

/** What the plugin adds to the instance it is registered in. */
export interface Latchkey {
  /** The identifiers of the trusted issuers that clients are told: of more than 100 only the required ones. */
  readonly issuers: readonly string[]
  /**
   * Trusts the issuers of another list from now on. Those that stay the same keep their keys and verified tokens; the
   * tokens of those that are gone are refused at once.
   * @throws {TypeError} for a wrong option: then nothing has changed
   */
  replaceIssuers(issuers: readonly IssuerOptions[]): IssuerChanges
  /** The scopes that the guards of all routes name, sorted. */
  scopes(): readonly string[]
  /** The types of authorization details that the guards of all routes name, sorted (RFC 9396). */
  authorizationDetailsTypes(): readonly string[]
  /** What the API says of tokens that are bound to their sender. */
  readonly senderConstraints: SenderConstraints
  /** Whether the keys of every required issuer were read and can be used. */
  isReady(): boolean
  /**
   * The UserInfo of the caller of a guarded request (OpenID Connect Core 1.0 section 5.3), from where the issuer's
   * `userinfo` option says.
   * @throws {ProblemError} if the issuer can not be asked or gives no usable answer
   */
  readUserInfo(request: FastifyRequest): Promise<UserInfoClaims>
  /**
   * Refuses access tokens before they expire: here once it settles, elsewhere within a second.
   * @throws {ProblemError} `validation-failed` for a wrong target
   * @throws {TypeError} without the option `revocationStore`
   */
  revoke(target: RevocationTarget): Promise<Mark>
  /** Takes what issuers tell of ended sessions; undefined without the option `revocationStore`. */
  readonly revocations: Revocations | undefined
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
  const revoked = await openRevocationList(app, options)
  const issuers = createTrustedIssuers(issuersOf(options), {
    prepare: createSignatureCheck,
    scopes: createScopeHierarchy(options.scopeImplies),
    observer: createLogObserver(app),
    store: options.keySetStore,
    revoked,
    resolve: options.resolveIssuer
  })
  const constraint = await createSenderConstraint(app, options, issuers)
  const denials = createDenials(options, constraint?.challenge)
  const revocations = await offerRevocations(revoked, issuers)
  const scopes = new Set<string>()
  const detailsTypes = new Set<string>()

  app.decorateRequest('principal', null as unknown as Principal)
  app.decorateRequest('exchangeToken', createExchangeToken(issuers))
  const offered = { scopes, detailsTypes, constraint, revocations }
  app.decorate('latchkey', createLatchkey(issuers, denials, offered))
  app.addHook('onRoute', (route) => {
    const guard = parseGuard(route.config?.auth) ?? null
    if (guard !== null) refuseUnmappedRoles(guard, issuers)
    if (guard !== null) refuseUnprovable(guard, constraint)
    for (const scope of [...(guard?.scopes ?? []), ...(guard?.anyScope ?? [])]) scopes.add(scope)
    if (guard?.authorizationDetails) detailsTypes.add(guard.authorizationDetails.type)
    route.config = { ...route.config, [guardKey]: guard }
  })
  const { publicUrl } = options
  const surroundings = { issuers, denials, publicUrl, constraint, revoked }
  app.addHook('onRequest', createGuardHook(app, surroundings))
  app.addHook('onClose', () => issuers.close())
  await issuers.start()
}

/** Where no issuer says which claim has its roles, nobody could ever have one. */
function refuseUnmappedRoles({ roles }: Guard, issuers: TrustedIssuers): void {
  if (roles.length === 0 || issuers.isOpen) return
  if (issuers.values().some(({ mapping }) => mapping.roles.length > 0)) return
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

/** Credentials with an access token. */
type AccessToken = Extract<Credentials, { readonly token: string }>

interface GuardHookOptions {
  readonly issuers: TrustedIssuers
  readonly denials: Denials
  readonly publicUrl: SharedOptions['publicUrl']
  /** undefined where no token is bound to its sender. */
  readonly constraint: SenderConstraint | undefined
  readonly revoked: RevokedTokens | undefined
}

function createGuardHook(
  app: FastifyInstance,
  { issuers, denials, publicUrl, constraint, revoked }: GuardHookOptions
): GuardHook {
  const verify = createVerifier(issuers, { revoked })
  const surroundings = {
    clock: Date.now,
    clockToleranceOf: (issuer: string) => issuers.get(issuer)?.policy.clockTolerance ?? 0,
    isThisApi: (location: string, issuer: string) =>
      issuers.get(issuer)?.policy.audiences.has(location) === true ||
      location === (typeof publicUrl === 'function' ? publicUrl() : publicUrl)
  }

  const admit = (
    guard: Guard,
    verdict: Principal,
    ...[request, reply, done]: Parameters<GuardHook>
  ): void => {
    const denial = judge(guard, verdict, surroundings, request.params)
    if (denial instanceof Refusal) return denials.invalidToken(request, reply, guard, denial)
    if (denial !== undefined)
      return denials.denied(request, reply, guard, { principal: verdict, denial })
    request.principal = verdict
    done()
  }

  const settle = (
    guard: Guard,
    verdict: Verdict,
    sent: AccessToken,
    ...[request, reply, done]: Parameters<GuardHook>
  ): void => {
    if (verdict instanceof IssuerUnavailable) return denials.unavailable(request, reply, verdict)
    if (verdict instanceof Refusal) return denials.invalidToken(request, reply, guard, verdict)
    if (constraint === undefined || (verdict.confirmation === undefined && sent.kind === 'bearer'))
      return admit(guard, verdict, request, reply, done)
    const caller = { guard, principal: verdict, scheme: sent.kind, token: sent.token }
    isProven(constraint, denials, caller, request, reply)
      .then((proven) => {
        if (proven) admit(guard, verdict, request, reply, done)
      })
      .catch(done)
  }

  return (request, reply, done) => {
    if (isUnrouted(request)) return answerUnrouted(app, request, reply, done)
    const guard = guardOf(request)
    if (guard === null) return done()
    const credentials = readAuthorization(
      findAuthorization(request.raw.rawHeaders),
      constraint?.schemes
    )
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
    if (!(verdict instanceof Promise))
      return settle(guard, verdict, credentials, request, reply, done)
    verdict.then((settled) => settle(guard, settled, credentials, request, reply, done)).catch(done)
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

/** What the guards of all routes name, and what else the plugin offers. */
interface Offered {
  readonly revocations: Revocations | undefined
  readonly scopes: ReadonlySet<string>
  readonly detailsTypes: ReadonlySet<string>
  readonly constraint: SenderConstraint | undefined
}

function createLatchkey(
  issuers: TrustedIssuers,
  denials: Denials,
  { scopes, detailsTypes, constraint, revocations }: Offered
): Latchkey {
  return {
    get issuers() {
      return issuers.advertised
    },
    replaceIssuers: (list) => issuers.replace(list),
    scopes: () => [...scopes].sort(),
    authorizationDetailsTypes: () => [...detailsTypes].sort(),
    senderConstraints: constraint?.published ?? noConstraints,
    isReady: () => issuers.isReady,
    readUserInfo: (request) => readUserInfo(request, issuers, denials),
    async revoke(target) {
      if (revocations !== undefined) return revocations.revoke(target)
      throw new TypeError('revocationStore: found nothing, allowed: a store, to revoke tokens')
    },
    revocations
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
  dpopProofs: true,
  clientCertFrom: true,
  redisUrl: true,
  revocationStore: true,
  maxTokenLifetime: true,
  resolveIssuer: true,
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
