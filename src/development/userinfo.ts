import { createLocalJWKSet, errors, jwtVerify, type JWK, type JWTPayload } from 'jose'
import type { Context, Middleware } from 'oidc-provider/lib/provider.js'
import { isLoopbackUrl } from './clients.ts'
import { claimsOf } from './users.ts'

interface UserInfoOptions {
  readonly issuer: string
  /** The audiences that tokens may have. */
  readonly audience: string[]
  /** Public signing keys of this issuer. */
  readonly keys: readonly JWK[]
}

/**
 * Answers UserInfo requests (OIDC Core section 5.3) for this issuer's own access tokens.
 * oidc-provider refuses them there, as they are JWTs and meant for the API.
 */
export function userInfo({ issuer, audience, keys }: UserInfoOptions): Middleware {
  const keySet = createLocalJWKSet({ keys: [...keys] })
  const verify = async (token: string) =>
    (await jwtVerify(token, keySet, { issuer, audience, typ: 'at+jwt' })).payload

  return async (ctx, next) => {
    if (ctx.path !== '/me') return next()
    allowLoopbackOrigin(ctx)
    ctx.set('Cache-Control', 'no-store')
    if (ctx.method === 'OPTIONS') return preflight(ctx)
    if (ctx.method !== 'GET' && ctx.method !== 'POST') return notAllowed(ctx)
    const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(ctx.get('authorization'))?.[1]
    if (token === undefined) return refuse(ctx, 401, 'Bearer')
    respond(ctx, await verify(token).catch(unlessInvalid))
  }
}

function respond(ctx: Context, payload: JWTPayload | undefined): void {
  if (payload === undefined) return refuse(ctx, 401, 'Bearer error="invalid_token"')
  const { scope, sub = '' } = payload
  const scopes = typeof scope === 'string' ? scope.split(' ') : []
  if (!scopes.includes('openid')) {
    return refuse(ctx, 403, 'Bearer error="insufficient_scope", scope="openid"')
  }
  const claims = claimsOf(sub, scopes)
  if (claims === undefined) return refuse(ctx, 401, 'Bearer error="invalid_token"')
  ctx.body = claims
}

function refuse(ctx: Context, status: number, challenge: string): void {
  ctx.status = status
  ctx.set('WWW-Authenticate', challenge)
  ctx.body = ''
}

function unlessInvalid(error: unknown): undefined {
  if (!(error instanceof errors.JOSEError)) throw error
}

function notAllowed(ctx: Context): void {
  ctx.status = 405
  ctx.set('Allow', 'GET, POST, OPTIONS')
}

function allowLoopbackOrigin(ctx: Context): void {
  const origin = ctx.get('origin')
  ctx.set('Vary', 'Origin')
  if (isLoopbackUrl(origin)) ctx.set('Access-Control-Allow-Origin', origin)
}

function preflight(ctx: Context): void {
  ctx.status = 204
  ctx.set('Access-Control-Allow-Methods', 'GET, POST')
  ctx.set('Access-Control-Allow-Headers', 'authorization')
}
