import type { FastifyRequest } from 'fastify'
import type { TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import type { UserInfoClaims } from '../src/issuer/userinfo-answer.ts'
import { ScopeRefusedError, TokenRefusedError } from '../src/issuer/userinfo.ts'
import { ProblemError } from '../src/http/problem.ts'
import { accessTokenOf, callerOf } from './access-token.ts'
import type { Denials } from './denials.ts'
import { guardOf } from './guard-hook.ts'

/**
 * The UserInfo of the caller of a guarded request.
 * @throws {ProblemError} if the issuer can not be asked or gives no usable answer
 * @throws {TypeError} where `request.principal` is null
 */
export async function readUserInfo(
  request: FastifyRequest,
  issuers: TrustedIssuers,
  denials: Denials
): Promise<UserInfoClaims> {
  const principal = callerOf(request, 'readUserInfo')
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
